"""Your own videos: a CSV turns any folder of videos into a dataset.

    path,label,subject
    videos/anna 01.mp4,happy,anna
    https://example.org/ben.mp4,sad,ben

`path` is relative to the CSV's folder, or the http(s) URL of a video or of a web page that shows
it; a folder of frames counts as a video. Instead of `path`, a column `id` may hold ids of videos on
YouTube, so lists of `id,start,end`, CelebV's JSON and VoxCeleb2's folders of tracks work unchanged.
`label` is the class; for regression, every other column of numbers is a target named by its header.
`fold` names the part in which a clip is tested, or is `train`, `val` or `test`; without it,
subjects are distributed over folds, because one person in training and test inflates results.
`start` and `end` (seconds) cut a clip out of a longer video. No video is opened before
`svfap.datasets.collect` fetches it.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from svfap.config import reserved
from svfap.config.labels import Task
from svfap.datasets import clip_keys, listing
from svfap.datasets.collect import clip_path, collect, listed_as, video_path
from svfap.datasets.dataset import Clip, Dataset, Fold, leave_one_part_out
from svfap.datasets.listing import ListedVideo
from svfap.datasets.same_video import ListedSpan, refuse_shared_videos
from svfap.datasets.spelling import plain, refuse_lookalikes
from svfap.datasets.split import (
    check_training_classes,
    distributed_parts,
    holdout_fold,
    how_split,
    named_parts,
    untested_classes,
)
from svfap.datasets.targets import names_and_targets
from svfap.errors import SvfapError
from svfap.order import natural_key

DEFAULT_METRICS: Mapping[Task, tuple[str, ...]] = {
    "classification": ("UAR", "WAR"),
    "regression": ("CCC", "PCC"),
    "unlabelled": (),
}


def load(
    name: str,
    csv: Path,
    *,
    task: Task,
    folds: int,
    classes: Sequence[str] = (),
    names_as_written: bool = False,
    named: Mapping[str, str] = MappingProxyType({}),
) -> Dataset:
    """Read a user's CSV into a dataset, without opening a video.

    Args:
        name: the dataset's name in the configuration.
        csv: the listing; the module's docstring describes it.
        task: what is predicted.
        folds: number of folds if the CSV names none, or number of parts if it has no labels.
        classes: class names in index order, or the columns to regress; () for all in the CSV.
        names_as_written: whether to accept names that look alike, or like a missing value.
        named: columns that have other names in the CSV, as in `listing.read`.

    Raises:
        SvfapError: a column or row is wrong; the message says how to fix it.
    """
    rows = listing.read(csv, named)
    if not names_as_written:
        _refuse_doubtful_names(csv, name, rows, task, chosen=bool(classes))
    names, targets = names_and_targets(csv, rows, task, tuple(map(plain, classes)))
    reserved.check_targets(names, classes=task == "classification", where=csv)
    parts = _parts(csv, name, rows, targets, task, folds)
    ordered = tuple(sorted({*parts}, key=natural_key))
    splits = _splits(csv, ordered, names_as_written) if task != "unlabelled" else {}
    tested = tuple(part for part in ordered if any(part in s.test for s in splits.values()))
    gaps = ""
    if task == "classification":
        labels = [row.cells["label"] for row in rows]
        check_training_classes(csv, splits, parts, labels, names)
        gaps = untested_classes(parts, labels, names, tested)
    keys = clip_keys.keys(rows)
    return Dataset(
        *(name, task, names, ordered, splits),
        clips=lambda root: _clips(root, rows, keys, parts, targets),
        fetch=lambda root: _fetch(csv, root, rows, keys, parts if splits else ()),
        metrics=DEFAULT_METRICS[task],
        split=how_split(rows, parts, tested) if splits else "",
        gaps=gaps,
        sources=frozenset(os.path.normpath(row.source) for row in rows),
    )


def _splits(csv: Path, parts: Sequence[str], names_as_written: bool) -> Mapping[str, Fold]:
    """Return the folds: one if parts are called train and test, else one for each part."""
    if len(parts) < 2:
        raise SvfapError(f"{csv}: column 'fold' names one fold only; name at least 2")
    holdout = None if names_as_written else holdout_fold(csv, parts)
    return holdout or leave_one_part_out(parts)


def _refuse_doubtful_names(
    csv: Path, name: str, rows: Sequence[ListedVideo], task: Task, *, chosen: bool
) -> None:
    """Refuse people, folds and classes that look alike; classes that the user chose are clear."""
    columns = {"unlabelled": [], "regression": ["subject", "fold"]}.get(
        task, ["subject", "fold"] if chosen else ["subject", "fold", "label"]
    )
    for column in columns:
        first_rows: dict[str, int] = {}
        for row in rows:
            # A path that serves as the name of a person cannot be misspelt: it would not be found.
            if row.cells.get(column) and row.cells[column] != row.cells.get("path"):
                first_rows.setdefault(row.cells[column], row.number_of_row)
        refuse_lookalikes(
            first_rows, what=column, where=csv, accept=f"datasets.{name}.names_as_written: true"
        )


def _parts(
    csv: Path,
    name: str,
    rows: Sequence[ListedVideo],
    targets: Sequence[tuple[float, ...]],
    task: Task,
    folds: int,
) -> list[str]:
    """Return the part of each row."""
    if "fold" in rows[0].cells:
        return named_parts(rows)
    if task == "unlabelled":
        # Unlabelled videos are never tested: distribute the rows in turn, whatever their person.
        return [f"part{number % folds + 1}" for number in range(len(rows))]
    if "subject" not in rows[0].cells:
        raise SvfapError(
            f"{csv}: add a column 'subject' or 'fold': with the same person in training and test,"
            " results are too good to be true. If each video shows another person, set"
            f" datasets.{name}.columns: {{subject: path}}"
        )
    listing.require_filled(csv, rows, "subject")
    labels = targets if task == "classification" else [()] * len(rows)
    return distributed_parts(csv, name, rows, labels, folds)


def _fetch(
    csv: Path,
    root: Path,
    rows: Sequence[ListedVideo],
    keys: Sequence[str],
    parts: Sequence[str],
) -> None:
    """Collect the videos, then refuse one that is in two parts; there are none without folds."""
    collect(root, rows, keys)
    spans = [
        ListedSpan(row.where, video_path(root, row.source), row.start, row.end, part)
        for row, part in zip(rows, parts, strict=False)
    ]
    refuse_shared_videos(csv, spans)


def _clips(
    root: Path,
    rows: Sequence[ListedVideo],
    keys: Sequence[str],
    parts: Sequence[str],
    targets: Sequence[tuple[float, ...]],
) -> Iterator[Clip]:
    """Yield every listed clip, whether its file exists or not."""
    for key, row, part, target in zip(keys, rows, parts, targets, strict=True):
        yield Clip(
            key,
            clip_path(root, key, row),
            part,
            row.cells.get("subject", ""),
            target,
            source=None if row.is_whole else video_path(root, row.source),
            listed=listed_as(row),
        )
