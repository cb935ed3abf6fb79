"""What a dataset is: clips, parts and folds. Facts only: standard library, no pixels, no torch.

A *part* is the smallest unit of any split and is known without opening a video; cropping and
sharding run once per part, and a *fold* is a list of parts. So five folds cost one copy of the
data, and no test clip can reach training unless a stage opens a file it was not given.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from svfap.errors import SvfapError

Task = Literal["classification", "regression", "unlabelled"]
MANIFEST_COLUMNS = ("key", "path", "part", "subject", "group", "target")


@dataclass(frozen=True)
class Clip:
    """One video of a dataset.

    Attributes:
        key: unique name within the dataset; also the file name of everything made from the clip.
        path: the raw video.
        part: the part of the dataset that the clip belongs to.
        subject: who is seen; folds are subject-independent where subjects are known.
        target: class index, or one value per target for regression, or () when unlabelled.
        group: the unit that is scored; the clip itself unless the protocol says otherwise.
    """

    key: str
    path: Path
    part: str
    subject: str = ""
    target: tuple[float, ...] = ()
    group: str = ""


@dataclass(frozen=True)
class Fold:
    """One train/test split, as names of parts."""

    train: tuple[str, ...]
    test: tuple[str, ...]


@dataclass(frozen=True)
class Dataset:
    """Everything that is known of a dataset before its first video is opened.

    Attributes:
        name: the name used in configs, file names and tables.
        task: what is predicted.
        targets: class names in index order, or the names of the regressed values.
        parts: names of all parts.
        folds: fold name -> split; empty for unlabelled data.
        fetch: brings raw videos in place under a folder and yields the clips.
        stride: distance in frames between two sampled frames.
        metrics: names of the figures in its table, main one first.
        notice: a sentence that must stand wherever its results are shown.
    """

    name: str
    task: Task
    targets: tuple[str, ...]
    parts: tuple[str, ...]
    folds: Mapping[str, Fold]
    fetch: Callable[[Path], Iterable[Clip]]
    stride: int = 4
    metrics: tuple[str, ...] = ("UAR", "WAR")
    notice: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse folds that name unknown parts or that test on what they train on."""
        for name, fold in self.folds.items():
            unknown = {*fold.train, *fold.test} - {*self.parts}
            shared = {*fold.train} & {*fold.test}
            if unknown or shared or not fold.train or not fold.test:
                raise SvfapError(
                    f"{self.name}: fold {name} needs training and test parts that exist and differ"
                    f" (unknown: {sorted(unknown)}, in both: {sorted(shared)})"
                )


def leave_one_part_out(parts: Iterable[str]) -> dict[str, Fold]:
    """Cross-validation in which each part is the test set of one fold, named after it."""
    parts = tuple(parts)
    return {test: Fold(tuple(p for p in parts if p != test), (test,)) for test in parts}


def write_manifest(path: Path, clips: Iterable[Clip]) -> int:
    """Write clips as CSV, paths relative to the manifest's folder if below it; return the count."""
    root = path.parent.resolve()
    count = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(MANIFEST_COLUMNS)
        for clip in clips:
            video = clip.path.absolute()
            shown = video.relative_to(root) if video.is_relative_to(root) else video
            target = " ".join(f"{value:g}" for value in clip.target)
            group = clip.group or clip.key
            writer.writerow((clip.key, shown, clip.part, clip.subject, group, target))
            count += 1
    return count


def read_manifest(path: Path, part: str | None = None) -> Iterator[Clip]:
    """Yield the clips of a manifest, of one part only if it is named."""
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if part is None or row["part"] == part:
                target = tuple(float(value) for value in row["target"].split())
                video = path.parent / row["path"]
                yield Clip(row["key"], video, row["part"], row["subject"], target, row["group"])
