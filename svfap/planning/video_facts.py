"""Number, length and size of a dataset's videos: counted on this machine, or as published.

Where the videos are on this machine, all are counted and a few are opened. For the others,
footage.csv contains figures, their sources and what is assumed.
"""

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from pydantic import Field

from svfap.config import DatasetConfig
from svfap.config.section import Section
from svfap.datasets.dataset import Clip, Dataset, read_manifest
from svfap.datasets.facts import Access
from svfap.errors import SvfapError
from svfap.experiment.layout import MANIFEST
from svfap.experiment.resolve import Experiment

PUBLISHED = Path(__file__).with_name("footage.csv")
OTHER = "*"  # the row of footage.csv for a dataset without a row
OPENED = 24  # videos opened per dataset: enough for means, and done in seconds
BITS_PER_PIXEL = 0.2  # where no size is published: a guess for H.264 of good quality
REMOTE: frozenset[Access] = frozenset({"open", "sign-up", "closed"})


class VideoFacts(Section):
    """The videos of a dataset."""

    videos: dict[str, float] = Field(description="number of videos in each part")
    frames: float = Field(description="frames of a video, on average")
    shape: tuple[float, float] = Field(description="width and height of a frame")
    gigabytes: float = Field(description="size of all videos")
    remote: bool = Field(description="whether they have to be downloaded")
    basis: str = Field(description="source of the figures, and what is assumed")

    @property
    def megapixels(self) -> float:
        """Megapixels of a frame."""
        return self.shape[0] * self.shape[1] / 1e6

    @property
    def total(self) -> float:
        """Number of videos."""
        return sum(self.videos.values())


def of_all(experiment: Experiment) -> dict[str, VideoFacts]:
    """Return the facts of each configured dataset's videos.

    Raises:
        SvfapError: a number of videos is not published, and they are not on this machine.
    """
    config = experiment.config
    return {
        name: _facts(name, dataset, config.datasets[name], config.data)
        for name, dataset in experiment.datasets.items()
    }


def _facts(name: str, dataset: Dataset, choice: DatasetConfig, data: Path) -> VideoFacts:
    manifest = MANIFEST.path(data, dataset=name)
    clips: list[Clip] = []
    if manifest.is_file():
        clips = list(read_manifest(manifest))
    elif choice.csv:
        clips = list(dataset.clips(choice.root or manifest.parent))
    counts = Counter(clip.part for clip in clips)
    videos = {part: float(count) for part, count in counts.items()} or _published(name, dataset)
    here = [clip.path for clip in clips if clip.path.is_file()]
    if here:
        return _opened(here, videos)
    return _assumed(dataset, videos, remote=bool(choice.csv) or dataset.about.access in REMOTE)


def _published(name: str, dataset: Dataset) -> dict[str, float]:
    """Return the videos of each part: the size of its test fold if published, else equal shares."""
    figures, parts = dataset.published, dataset.parts
    if not figures.clips:
        raise SvfapError(
            f"{name}: its number of clips is not published; run the stage download first"
        )
    videos: dict[str, float] = {}
    for fold, (_, clips) in figures.folds.items():
        tested = dataset.folds[fold].test if fold in dataset.folds else ()
        videos |= dict.fromkeys(tested, clips / max(1, len(tested)))
    rest = [part for part in parts if part not in videos]
    left = figures.clips - sum(videos.values())
    shared = {part: left / len(rest) for part in rest}
    return {part: videos.get(part, shared.get(part, 0.0)) for part in parts}


def _opened(paths: Sequence[Path], videos: dict[str, float]) -> VideoFacts:
    """Return the facts of videos on this machine by opening some, evenly spaced in the list."""
    from svfap.video.decode import Reject, declared_frames, read_frames

    count = min(OPENED, len(paths))
    chosen = [paths[len(paths) * number // count] for number in range(count)]
    frames, sizes = [], []
    for path in chosen:
        try:
            size = next(iter(read_frames(path))).size
            frames.append(declared_frames(path) or sum(1 for _ in read_frames(path)))
        except (Reject, StopIteration):
            continue
        sizes.append(size)
    if not frames:
        raise SvfapError(
            f"{chosen[0]}: cannot be opened, nor can {count - 1} other videos; replace them"
        )
    return VideoFacts(
        videos=videos,
        frames=fmean(frames),
        shape=(fmean(width for width, _ in sizes), fmean(height for _, height in sizes)),
        gigabytes=fmean(path.stat().st_size for path in chosen) * sum(videos.values()) / 1e9,
        remote=False,
        basis=f"{len(paths):,} here, {len(frames)} opened",
    )


def _assumed(dataset: Dataset, videos: dict[str, float], *, remote: bool) -> VideoFacts:
    """Return the facts in footage.csv."""
    with PUBLISHED.open(newline="", encoding="utf-8") as file:
        rows = {row["dataset"]: row for row in csv.DictReader(file)}
    family = dataset.name.split("-")[0]  # AVCAffe-arousal and AVCAffe-valence share their videos
    row = next(rows[key] for key in (dataset.name, family, OTHER) if key in rows)
    frames, width, height = (float(row[name]) for name in ("frames", "width", "height"))
    bits = sum(videos.values()) * frames * width * height * BITS_PER_PIXEL
    return VideoFacts(
        videos=videos,
        frames=frames,
        shape=(width, height),
        gigabytes=float(row["gigabytes"] or bits / 8e9),
        remote=remote,
        basis=row["source"] + (f"; assumed: {row['assumed']}" if row["assumed"] else ""),
    )
