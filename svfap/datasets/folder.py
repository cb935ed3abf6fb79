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

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from svfap.config import reserved
from svfap.config.labels import Task
from svfap.datasets import listing
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
) -> Dataset:
    """Read a user's CSV into a dataset, without opening a video.

    Args:
        name: the dataset's name in the configuration.
        csv: the listing; the module's docstring describes it.
        task: what is predicted.
        folds: number of folds if the CSV names none, or number of parts if it has no labels.
        classes: class names in index order, or the columns to regress; () for all in the CSV.
        names_as_written: whether to accept names that look alike, or like a missing value.

    Raises:
        SvfapError: a column or row is wrong; the message says how to fix it.
    """
    rows = listing.read(csv)
    if not names_as_written:
        _refuse_doubtful_names(csv, name, rows, task, chosen=bool(classes))
    names, targets = _names_and_targets(csv, rows, task, tuple(map(plain, classes)))
    reserved.check_targets(names, classes=task == "classification", where=csv)
    parts = _parts(csv, name, rows, targets, task, folds)
    ordered = tuple(sorted({*parts}, key=natural_key))
    gaps = ""
    splits = _splits(csv, ordered, names_as_written) if task != "unlabelled" else {}
    tested = tuple(part for part in ordered if any(part in s.test for s in splits.values()))
    if task == "classification":
        labels = [row.cells["label"] for row in rows]
        check_training_classes(csv, splits, parts, labels, names)
        gaps = untested_classes(parts, labels, names, tested)
    keys = listing.keys(rows)
    return Dataset(
        name,
        task,
        names,
        ordered,
        splits,
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


def _names_and_targets(
    csv: Path, rows: Sequence[ListedVideo], task: Task, chosen: tuple[str, ...]
) -> tuple[tuple[str, ...], list[tuple[float, ...]]]:
    """Return the names of the classes or regressed values, and the target of each row."""
    match task:
        case "classification":
            listing.require_column(csv, list(rows[0].cells), "label")
            names = _class_names(csv, rows, chosen)
            return names, [(float(_class_index(row, names)),) for row in rows]
        case "regression":
            names = _columns_to_regress(csv, rows, chosen)
            return names, [tuple(row.number(column) for column in names) for row in rows]
        case "unlabelled":
            return (), [()] * len(rows)


def _class_names(
    csv: Path, rows: Sequence[ListedVideo], chosen: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the class names in index order: the chosen ones, or all labels sorted."""
    if chosen:
        if len({*chosen}) < len(chosen):
            raise SvfapError(f"{csv}: a class is named twice in {', '.join(chosen)}; name it once")
        return chosen
    labels = sorted({row.require("label") for row in rows}, key=natural_key)
    if len(labels) < 2:
        raise SvfapError(f"{csv}: every label is '{labels[0]}'; add rows with a second class")
    return tuple(labels)


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
            if row.cells.get(column):
                first_rows.setdefault(row.cells[column], row.number_of_row)
        refuse_lookalikes(
            first_rows, what=column, where=csv, accept=f"datasets.{name}.names_as_written: true"
        )


def _class_index(row: ListedVideo, classes: Sequence[str]) -> int:
    label = row.require("label")
    if label not in classes:
        near = difflib.get_close_matches(label, classes, n=1)
        guess = f"; did you mean '{near[0]}'?" if near else ";"
        raise SvfapError(f"{row.where}: unknown label '{label}'{guess} known: {', '.join(classes)}")
    return classes.index(label)


def _columns_to_regress(
    csv: Path, rows: Sequence[ListedVideo], chosen: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the chosen columns, or all columns without another meaning that contain a number."""
    columns = list(rows[0].cells)
    for column in chosen:
        listing.require_column(csv, columns, column)
    others = [name for name in columns if name and name not in listing.ORDINARY_COLUMNS - {"label"}]
    found = chosen or tuple(
        name for name in others if any(_is_number(row.cells[name]) for row in rows)
    )
    if not found:
        _require_numeric_label(csv, rows[0])
    return found


def _require_numeric_label(csv: Path, row: ListedVideo) -> None:
    """Raise SvfapError if the column `label` is missing or its cell is not a number."""
    listing.require_column(csv, list(row.cells), "label")
    row.number("label")


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
            " results are too good to be true"
        )
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


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
