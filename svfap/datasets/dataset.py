"""What a dataset is: clips, parts and folds. Facts only: standard library, no pixels, no torch.

A *part* is the smallest unit of any split and is known without opening a video; cropping and
sharding run once per part, and a *fold* is a list of parts. So five folds cost one copy of the
data, and no test clip can reach training unless a stage opens a file it was not given.
"""

import csv
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from svfap.datasets.facts import About, Published
from svfap.errors import SvfapError

Task = Literal["classification", "regression", "unlabelled"]
Faces = Literal["raw", "cropped"]
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
    """One train/test split, as names of parts; `validation` is for choosing, never for testing."""

    train: tuple[str, ...]
    test: tuple[str, ...]
    validation: tuple[str, ...] = ()


def _nothing_to_bring(root: Path) -> None:
    """What lies under a root is all there will be."""


@dataclass(frozen=True)
class Dataset:
    """Everything that is known of a dataset before its first video is opened.

    Attributes:
        name: the name used in configs, file names and tables.
        task: what is predicted.
        targets: class names in index order, or the names of the regressed values.
        parts: names of all parts.
        folds: fold name -> split; empty for unlabelled data.
        clips: lists the clips under a folder by their names alone.
        bring: downloads, unpacks or renders what is missing under that folder.
        stride: distance in frames between two sampled frames.
        metrics: names of the figures in its table, main one first.
        notice: a sentence that must stand wherever its results are shown.
        faces: "cropped" if its pictures are faces that the publisher cut out.
        about: how to get it, and its terms.
        published: the figures that a complete copy has.
        variants: name -> the same videos under another protocol or in another form.
        split: how the folds of a user's own videos were made, and why so.
        gaps: which classes which folds cannot test; empty if none.
    """

    name: str
    task: Task
    targets: tuple[str, ...]
    parts: tuple[str, ...]
    folds: Mapping[str, Fold]
    clips: Callable[[Path], Iterable[Clip]]
    bring: Callable[[Path], None] = _nothing_to_bring
    stride: int = 4
    metrics: tuple[str, ...] = ("UAR", "WAR")
    notice: str = ""
    faces: Faces = "raw"
    about: About = field(default_factory=About)
    published: Published = field(default_factory=Published)
    variants: Mapping[str, "Dataset"] = field(default_factory=dict)
    split: str = ""
    gaps: str = ""

    def __post_init__(self) -> None:
        """Refuse folds that name unknown parts or that test on what they train on."""
        for name, fold in self.folds.items():
            seen = (*fold.train, *fold.validation)
            unknown = {*seen, *fold.test} - {*self.parts}
            shared = {*seen} & {*fold.test} | {*fold.train} & {*fold.validation}
            if unknown or shared or not fold.train or not fold.test:
                raise SvfapError(
                    f"{self.name}: fold {name} needs training and test parts that exist and differ"
                    f" (unknown: {sorted(unknown)}, in both: {sorted(shared)})"
                )

    def fetch(self, root: Path) -> Iterable[Clip]:
        """Bring the videos in place under a folder and list the clips."""
        self.bring(root)
        return self.clips(root)


def leave_one_part_out(parts: Iterable[str]) -> dict[str, Fold]:
    """Cross-validation in which each part is the test set of one fold, named after it."""
    parts = tuple(parts)
    return {test: Fold(tuple(p for p in parts if p != test), (test,)) for test in parts}


def write_manifest(path: Path, clips: Iterable[Clip]) -> int:
    """Write clips as CSV, paths relative to the manifest's folder if below it; return the count."""
    root = f"{path.parent.resolve()}{os.sep}"
    count = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(MANIFEST_COLUMNS)
        for clip in clips:
            shown = str(clip.path.absolute()).removeprefix(root)
            target = " ".join(f"{value:g}" for value in clip.target)
            group = clip.group or clip.key
            writer.writerow((clip.key, shown, clip.part, clip.subject, group, target))
            count += 1
    return count


def read_manifest(path: Path, part: str | None = None) -> Iterator[Clip]:
    """Yield the clips of a manifest, of one part only if it is named."""
    with path.open(newline="", encoding="utf-8") as file:
        lines = csv.reader(file)
        columns = next(lines, list(MANIFEST_COLUMNS))
        place = columns.index("part")
        for cells in lines:
            if part is None or cells[place] == part:
                row = dict(zip(columns, cells, strict=True))
                target = tuple(float(value) for value in row["target"].split())
                video = path.parent / row["path"]
                yield Clip(row["key"], video, row["part"], row["subject"], target, row["group"])
