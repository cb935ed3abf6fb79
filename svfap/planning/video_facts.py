"""Number, length and size of a dataset's videos: counted on this machine, or as published.

Where the videos are on this machine, all are counted and a few are opened. For the others,
footage.csv contains figures, their sources and what is assumed.
"""

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import fmean

from pydantic import Field

from svfap.config.section import Section
from svfap.datasets.dataset import Clip, Dataset, read_manifest
from svfap.errors import SvfapError
from svfap.experiment.layout import MANIFEST
from svfap.experiment.resolve import Experiment
from svfap.sources import is_url

PUBLISHED = Path(__file__).with_name("footage.csv")
OPENED = 24  # videos opened per dataset: enough for means, and done in seconds
BITS_PER_PIXEL = 0.2  # guess for H.264 of good quality, where no size is published


class VideoFacts(Section):
    """The videos of a dataset."""

    videos: dict[str, float] = Field(description="number of videos in each part")
    frames: float = Field(description="frames of a video, on average")
    shape: tuple[float, float] = Field(description="width and height of a frame")
    gigabytes: float = Field(description="size of all videos")
    remote: bool = Field(description="whether they have to be downloaded")
    present: float = Field(default=0, description="GB that are on this machine already")
    basis: str = Field(description="source of the figures, and what is assumed")

    @property
    def megapixels(self) -> float:
        """Megapixels of a frame."""
        return self.shape[0] * self.shape[1] / 1e6

    @property
    def total(self) -> float:
        """Number of videos."""
        return sum(self.videos.values())

    def count(self, parts: Iterable[str]) -> float:
        """Return the number of videos in some parts."""
        return sum(self.videos.get(part, 0) for part in parts)


def of_all(experiment: Experiment) -> dict[str, VideoFacts]:
    """Return the facts of each configured dataset's videos.

    Raises:
        SvfapError: a number of videos is not published, and they are not on this machine.
    """
    return {name: _facts(name, experiment) for name in experiment.datasets}


def _facts(name: str, experiment: Experiment) -> VideoFacts:
    """Return the facts of videos on this machine, or what footage.csv contains."""
    dataset, choice = experiment.datasets[name], experiment.config.datasets[name]
    manifest = MANIFEST.path(experiment.config.data, dataset=name)
    root = choice.root or manifest.parent
    clips = list(read_manifest(manifest)) if manifest.is_file() else _listed(dataset, root)
    counts = Counter(clip.part for clip in clips)
    videos = {part: float(count) for part, count in counts.items()} or _published(dataset)
    if here := [clip.path for clip in clips if clip.path.is_file()]:
        return _opened(here, videos)
    outside = any(map(is_url, dataset.sources)) if choice.csv else dataset.about.access != "own"
    with PUBLISHED.open(newline="", encoding="utf-8") as file:
        rows = {row["dataset"]: row for row in csv.DictReader(file)}
    row = rows.get(dataset.name, rows["*"])
    frames, width, height = (float(row[column]) for column in ("frames", "width", "height"))
    bits = sum(videos.values()) * frames * width * height * BITS_PER_PIXEL
    most = dataset.published.at_most
    bound = f"; at most {most:,} clips" if most and not counts else ""
    return VideoFacts(
        videos=videos,
        frames=frames,
        shape=(width, height),
        gigabytes=float(row["gigabytes"] or bits / 8e9),
        remote=outside and dataset.about.access != "embedded",
        present=sum(path.stat().st_size for path in root.rglob("*") if path.is_file()) / 1e9,
        basis=row["source"] + bound + (f"; assumed: {row['assumed']}" if row["assumed"] else ""),
    )


def _listed(dataset: Dataset, root: Path) -> list[Clip]:
    """Return the clips of a user's list, or of a copy that is complete; otherwise none."""
    if not dataset.sources and not root.is_dir():
        return []
    try:
        clips = list(dataset.clips(root))
    except (SvfapError, OSError):  # files are missing, or still packed
        return []
    return clips if len(clips) >= dataset.published.clips else []


def _published(dataset: Dataset) -> dict[str, float]:
    """Return the number of videos in each part: published sizes of test folds, or equal shares."""
    figures = dataset.published
    total = figures.clips or figures.at_most
    if not total:
        raise SvfapError(
            f"{dataset.name}: its number of clips is not published; run the stage download first"
        )
    known = {name: fold.test for name, fold in dataset.folds.items() if name in figures.folds}
    tested = {p: figures.folds[name][1] / len(test) for name, test in known.items() for p in test}
    left = total - sum(tested.values())
    share = left / max(1, len(dataset.parts) - len(tested))
    return {part: tested.get(part, share) for part in dataset.parts}


def _opened(paths: Sequence[Path], videos: dict[str, float]) -> VideoFacts:
    """Return the facts of videos on this machine by opening some, evenly spaced in the list."""
    from svfap.video.decode import Reject, declared, read_frames

    count = min(OPENED, len(paths))
    chosen = [paths[len(paths) * number // count] for number in range(count)]
    found = []
    for path in chosen:
        with suppress(Reject):
            size = next(read_frames(path)).size
            found.append((declared(path).frames or sum(1 for _ in read_frames(path)), *size))
    if not found:
        raise SvfapError(
            f"{chosen[0]}: cannot be opened, nor can {count - 1} other videos; replace them"
        )
    frames, width, height = map(fmean, zip(*found, strict=True))
    gigabytes = fmean(path.stat().st_size for path in chosen) * sum(videos.values()) / 1e9
    return VideoFacts(
        videos=videos,
        frames=frames,
        shape=(width, height),
        gigabytes=gigabytes,
        remote=False,
        present=gigabytes * len(paths) / sum(videos.values()),
        basis=f"{len(paths):,} here, {len(found)} opened",
    )
