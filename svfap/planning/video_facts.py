"""What a dataset's videos are like: how many, how long, how large; counted here or published.

Where the videos are on this machine, they are counted and a few of them opened. Elsewhere figures
come from footage.csv, which names the source of each and what of it is assumed.
"""

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from svfap.config import DatasetConfig
from svfap.datasets.dataset import Clip, Dataset, read_manifest
from svfap.datasets.facts import Access
from svfap.errors import SvfapError

KNOWN = Path(__file__).with_name("footage.csv")
OTHER = "*"
PROBED = 24  # videos that are opened
BITS_PER_PIXEL = 0.2  # of a video whose size is not known
REMOTE: frozenset[Access] = frozenset({"open", "sign-up", "closed"})


@dataclass(frozen=True)
class VideoFacts:
    """The videos of a dataset.

    Attributes:
        videos: number of videos of each part.
        frames: of a video, on average.
        megapixels: of a frame.
        shape: width and height of a frame.
        gigabytes: of all videos.
        remote: whether they are to be brought over the network.
        basis: where the figures are from, and what is assumed.
    """

    videos: dict[str, float]
    frames: float
    shape: tuple[float, float]
    gigabytes: float
    remote: bool
    basis: str

    @property
    def megapixels(self) -> float:
        """Of a frame, in millions."""
        return self.shape[0] * self.shape[1] / 1e6

    @property
    def total(self) -> float:
        """Number of videos."""
        return sum(self.videos.values())


def of(name: str, dataset: Dataset, choice: DatasetConfig, data: Path) -> VideoFacts:
    """The videos of a dataset of the configuration.

    Raises:
        SvfapError: the number of its videos is neither published nor to be counted here.
    """
    root = choice.root or data / "raw" / name
    clips = _listed(dataset, data / "raw" / name / "manifest.csv", root, own=bool(choice.csv))
    here = [clip for clip in clips if clip.path.is_file()]
    videos = _counted(clips) if clips else _published(name, dataset)
    if here:
        return _probed(here, videos, len(clips))
    return _known(dataset, videos, remote=bool(choice.csv) or dataset.about.access in REMOTE)


def _listed(dataset: Dataset, manifest: Path, root: Path, *, own: bool) -> list[Clip]:
    """The clips of a manifest or of a user's CSV; none if the dataset is not here."""
    if manifest.is_file():
        return list(read_manifest(manifest))
    return list(dataset.clips(root)) if own else []


def _counted(clips: Sequence[Clip]) -> dict[str, float]:
    """Videos of each part."""
    return {part: float(count) for part, count in Counter(clip.part for clip in clips).items()}


def _published(name: str, dataset: Dataset) -> dict[str, float]:
    """Videos of each part: those of its test fold where that is published, else evenly dealt."""
    figures, parts = dataset.published, dataset.parts
    if not figures.clips:
        raise SvfapError(
            f"{name}: nobody has published how many clips it has; run the stage download first"
        )
    videos = dict.fromkeys(parts, figures.clips / len(parts))
    for fold, (_, test) in figures.folds.items():
        tested = dataset.folds[fold].test if fold in dataset.folds else ()
        videos |= dict.fromkeys(tested, test / max(1, len(tested)))
    rest = set(parts) - {
        p for f in figures.folds if f in dataset.folds for p in dataset.folds[f].test
    }
    if figures.folds and rest:
        left = figures.clips - sum(videos[part] for part in parts if part not in rest)
        videos |= dict.fromkeys(rest, left / len(rest))
    return videos


def _probed(here: Sequence[Clip], videos: dict[str, float], listed: int) -> VideoFacts:
    """Figures of the videos that are here, by opening some that lie evenly among them."""
    from svfap.video.decode import Reject, declared_frames, read_frames

    count = min(PROBED, len(here))
    chosen = [here[len(here) * number // count].path for number in range(count)]
    frames, sizes = [], []
    for path in chosen:
        try:
            first = next(iter(read_frames(path)))
            frames.append(declared_frames(path) or sum(1 for _ in read_frames(path)))
        except (Reject, StopIteration):
            continue
        sizes.append(first.size)
    if not frames:
        raise SvfapError(f"{chosen[0]}: cannot be opened, nor any other that was tried; mend them")
    shape = fmean(w for w, _ in sizes), fmean(h for _, h in sizes)
    weight = fmean(path.stat().st_size for path in chosen) * listed / 1e9
    return VideoFacts(
        videos, fmean(frames), shape, weight, False, f"{len(here):,} here, {len(frames)} opened"
    )


def _known(dataset: Dataset, videos: dict[str, float], *, remote: bool) -> VideoFacts:
    """Figures of footage.csv."""
    with KNOWN.open(newline="", encoding="utf-8") as file:
        rows = {row["dataset"]: row for row in csv.DictReader(file)}
    stem = dataset.name.split("-")[0]
    row = next(rows[key] for key in (dataset.name, stem, OTHER) if key in rows)
    frames, shape = float(row["frames"]), (float(row["width"]), float(row["height"]))
    bits = sum(videos.values()) * frames * shape[0] * shape[1] * BITS_PER_PIXEL
    gigabytes = float(row["gigabytes"] or bits / 8e9)
    assumed = f"; assumed: {row['assumed']}" if row["assumed"] else ""
    return VideoFacts(videos, frames, shape, gigabytes, remote, f"{row['source']}{assumed}")
