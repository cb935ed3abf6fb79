"""The class `Dataset` with its clips, parts and folds; it needs neither pixels nor torch.

A *part* is the smallest unit of any split. The part of a clip is known without opening its video.
Cropping and sharding run once per part, and a *fold* is a list of parts. So five folds need only
one copy of the data, and a test clip cannot reach training unless a stage opens the wrong shard.
"""

import csv
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from svfap.config import FIXED_PRESETS, Preset
from svfap.config.labels import NO_LABEL_NAMES, LabelNames, Task
from svfap.datasets.facts import About, Published
from svfap.errors import SvfapError

LISTED_COLUMNS = ("listed_path", "listed_start", "listed_end")  # a `Listed`, in tables
MANIFEST_COLUMNS = (
    *("key", "path", "part", "subject", "group", "target", "source", "label"),
    *(*LISTED_COLUMNS, "labels"),
)


class Listed(NamedTuple):
    """How a list names a clip, by which its owner finds it again.

    Attributes:
        path: the path or address in the user's CSV; otherwise the path in the dataset's folder.
        start: second of the video at which the clip starts; None if the list has none.
        end: second at which it ends; None if the list has none.
    """

    path: str = ""
    start: float | None = None
    end: float | None = None

    def cells(self) -> tuple[str, str, str]:
        """Return the cells of `LISTED_COLUMNS`."""
        start, end = ("" if time is None else f"{time:.12g}" for time in self[1:])
        return self.path, start, end

    @classmethod
    def of_row(cls, row: Mapping[str, str]) -> "Listed":
        """Read the cells of a table's row; tables of earlier versions have none."""
        path, *times = (row.get(column) or "" for column in LISTED_COLUMNS)
        start, end = (float(time) if time else None for time in times)
        return cls(path, start, end)


UNLISTED = Listed()


@dataclass(frozen=True)
class Clip:
    """One video of a dataset.

    Attributes:
        key: unique name within the dataset; every file made from the clip carries this name.
        path: the raw video, or a folder of its frames.
        part: the part of the dataset that the clip belongs to.
        subject: the person in the video, "" if unknown; no fold trains on a subject that it tests.
        target: class index, or one value per target for regression, or () when unlabelled.
        source: the raw video that `path` was cut from; None if `path` is the raw video.
        group: name of the group whose clips are scored as one, by their mean score; "" if the clip
            is scored on its own.
        listed: how the list of clips names it.
        labels: what its target means, as its manifest says; empty outside of a manifest.
    """

    key: str
    path: Path
    part: str
    subject: str = ""
    target: tuple[float, ...] = ()
    group: str = ""
    source: Path | None = None
    listed: Listed = UNLISTED
    labels: LabelNames = NO_LABEL_NAMES


@dataclass(frozen=True)
class Fold:
    """One train/test split, as names of parts.

    `validation` is scored after every epoch, to choose settings; it is never trained on or tested.
    """

    train: tuple[str, ...]
    test: tuple[str, ...]
    validation: tuple[str, ...] = ()


def plain_name(name: str) -> str:
    """Return the letters and digits of a dataset's name, in lower case."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def is_dataset(ours: str, theirs: str) -> bool:
    """Return whether two names of a dataset agree except for case and punctuation."""
    return plain_name(ours) == plain_name(theirs)


def nothing_to_fetch(root: Path) -> None:
    """Do nothing, for datasets whose files the user puts in place."""


@dataclass(frozen=True)
class Dataset:
    """All facts of a dataset that are known before its first video is opened.

    Attributes:
        name: the name used in configurations, file names and tables.
        task: what is predicted.
        targets: class names in index order, or the names of the regressed values.
        parts: names of all parts.
        folds: fold name -> split; empty for unlabelled data.
        clips: function that lists the clips under a folder from file names and label files,
            without opening a video.
        fetch: function that downloads, unpacks or renders the files missing under the same folder.
        crop: how the paper crops the faces (sections 4.1 and 4.2), used unless the configuration
            sets `crop.preset`: "auto" follows the face, "openface" aligns as OpenFace does,
            "frames" takes whole frames that the publisher cropped already, and "voxceleb2" cuts
            the square that the paper takes from VoxCeleb2's frames.
        stride: distance in frames between two sampled frames.
        metrics: names of the metrics in its table, the main one first; see `evaluation.metrics`.
        raw_targets: whether regression learns the targets in their own unit, as in the paper.
        notice: a sentence shown wherever its results are shown.
        about: how to get the dataset, and its licence.
        published: published counts, which a complete copy must match.
        variants: name -> the same videos under another protocol or in another form.
        split: sentence on how the folds of a user's own videos were made, and why.
        gaps: sentence on the classes that some folds cannot test; empty if none.
        sources: paths and URLs of a user's own videos, to recognise them in another dataset.
    """

    name: str
    task: Task
    targets: tuple[str, ...]
    parts: tuple[str, ...]
    folds: Mapping[str, Fold]
    clips: Callable[[Path], Iterable[Clip]]
    fetch: Callable[[Path], None] = nothing_to_fetch
    crop: Preset = "auto"
    stride: int = 4
    metrics: tuple[str, ...] = ("UAR", "WAR")
    raw_targets: bool = False
    notice: str = ""
    about: About = field(default_factory=About)
    published: Published = field(default_factory=Published)
    variants: Mapping[str, "Dataset"] = field(default_factory=dict)
    split: str = ""
    gaps: str = ""
    sources: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Raise SvfapError if a fold names an unknown part or tests a part it trains on."""
        for name, fold in self.folds.items():
            seen = (*fold.train, *fold.validation)
            unknown = {*seen, *fold.test} - {*self.parts}
            shared = {*seen} & {*fold.test} | {*fold.train} & {*fold.validation}
            if unknown or shared or not fold.train or not fold.test:
                raise SvfapError(
                    f"{self.name}: fold {name} needs training and test parts that exist and differ"
                    f" (unknown: {sorted(unknown)}, in both: {sorted(shared)})"
                )

    @property
    def is_cropped(self) -> bool:
        """Whether the publisher has cropped the faces already, so that no face is detected."""
        return self.crop in FIXED_PRESETS


def leave_one_part_out(parts: Iterable[str]) -> dict[str, Fold]:
    """Return folds for cross-validation: each part is tested by the fold with its name."""
    parts = tuple(parts)
    return {test: Fold(tuple(p for p in parts if p != test), (test,)) for test in parts}


def write_manifest(
    path: Path,
    clips: Iterable[Clip],
    *,
    labels: LabelNames = NO_LABEL_NAMES,
    copy: Path | None = None,
) -> int:
    """Write clips as CSV and return their number.

    Paths below the manifest's folder are written relative to it, so that the folder can be moved.

    Args:
        path: the file to write.
        clips: the clips of a dataset.
        labels: what their targets mean.
        copy: the folder of the dataset's copy, to which `Listed.path` is relative.
    """
    root, copied = f"{path.parent.resolve()}{os.sep}", f"{(copy or path.parent).absolute()}{os.sep}"
    described = labels.text()
    count = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(MANIFEST_COLUMNS)
        for clip in clips:
            # Path.relative_to is slow for a manifest with a million rows, so cut the text.
            found = str(clip.path.absolute())
            video, listed = found.removeprefix(root), clip.listed
            if not listed.path:
                listed = Listed(found.removeprefix(copied))
            target = " ".join(f"{value:g}" for value in clip.target)
            group = clip.group or clip.key
            source = str(clip.source.absolute()).removeprefix(root) if clip.source else ""
            cells = (clip.key, video, clip.part, clip.subject, group, target, source)
            label = labels.name_of(clip.target)
            writer.writerow((*cells, label, *listed.cells(), described))
            count += 1
    return count


def read_manifest(path: Path, part: str | None = None) -> Iterator[Clip]:
    """Yield the clips of a manifest, or of one part of it."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        columns = next(rows, list(MANIFEST_COLUMNS))
        part_column = columns.index("part")
        for cells in rows:
            if part is None or cells[part_column] == part:
                row = dict(zip(columns, cells, strict=True))
                target = tuple(float(value) for value in row["target"].split())
                video = path.parent / row["path"]
                # Manifests of earlier versions have no column `source`.
                source = path.parent / row["source"] if row.get("source") else None
                names = (row["part"], row["subject"], target, row["group"])
                described = LabelNames.of_text(row.get("labels", ""))
                yield Clip(row["key"], video, *names, source, Listed.of_row(row), described)
