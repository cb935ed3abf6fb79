"""What a list of videos holds, for `svfap new`: task, labels, people and missing files."""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from svfap.config.labels import Task
from svfap.datasets import columns, listing
from svfap.datasets.listing import ListedVideo
from svfap.datasets.spelling import misspellings
from svfap.errors import SvfapError
from svfap.experiment import layout
from svfap.sources import is_url

MOST_FOLDS = 5
ROW_NUMBERS = re.compile(r"unnamed: \d+|index|row|no\.?|nr\.?|#")  # no value to predict
MOST_FILES = 5000  # to look at for a missing video
MOST_RATINGS = 12  # labels that are more whole numbers than this are values, not classes
# Folders of `results`, which an experiment with its results in `results/NAME` must not be called.
TAKEN = {
    each.pattern.removeprefix("{run}").split("/")[0]
    for each in vars(layout).values()
    if isinstance(each, layout.Output) and each.root == "results"
} | {"logs", "benchmarks", layout.VARIANTS}


@dataclass(frozen=True)
class OwnList:
    """A user's list of videos.

    Attributes:
        name: name of the dataset, of the configuration and of the folder of results.
        csv: the list.
        videos: number of rows.
        task: what the labels are.
        labels: number of videos of each class; for regression, of each column of values.
        people: number of people; 0 if the list has no column `subject`.
        folds: folds to make; 0 if the list names its own, or none are needed.
        missing: rows whose file does not exist.
        columns: columns that have other names in the list: ordinary -> the list's.
        ignored: columns that have no use.
        alike: pairs of classes that may be one, misspelt.
    """

    name: str
    csv: Path
    videos: int
    task: Task
    labels: dict[str, int]
    people: int
    folds: int
    missing: tuple[ListedVideo, ...]
    columns: dict[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    alike: tuple[tuple[str, str], ...] = ()


def read(csv: Path, *, name: str = "", task: Task | None = None, subject: str = "") -> OwnList:
    """Read a list, and guess what is not given.

    Args:
        csv: the list.
        name: name of the experiment; "" for the list's.
        task: what the labels are; None to guess it from them.
        subject: the column that says who is in a video; "" for the usual names.

    Raises:
        SvfapError: the list is wrong, or none of its files exists.
    """
    lines = listing.lines_of(csv)
    named = columns.find(csv.parent, lines) | ({"subject": subject} if subject else {})
    rows = listing.read(csv, named)
    missing = tuple(row for row in rows if not (is_url(row.source) or Path(row.source).exists()))
    if len(missing) == len(rows):
        raise SvfapError(
            f"{missing[0].where}: {missing[0].source} does not exist, nor does any other video;"
            f" paths are relative to the folder of the list{meant(missing[0], csv.parent)}"
        )
    found = task or _task(csv, rows)
    _require_people(csv, lines[0], rows, found)
    labels = _labels(rows, found)
    used = (
        listing.ORDINARY_COLUMNS | {*labels} if found == "regression" else listing.ORDINARY_COLUMNS
    )
    return OwnList(
        name=name or _name(csv),
        csv=csv,
        videos=len(rows),
        task=found,
        labels=labels,
        people=len({row.cells["subject"] for row in rows if row.cells.get("subject")}),
        folds=0 if "fold" in rows[0].cells or found == "unlabelled" else _folds(rows, found),
        missing=missing,
        columns=named,
        ignored=tuple(column for column in rows[0].cells if column and column not in used),
        alike=tuple(misspellings(labels)) if found == "classification" else (),
    )


def meant(row: ListedVideo, folder: Path) -> str:
    """Return a question that names a file which a missing one may mean; "" if there is none.

    Args:
        row: the row of the missing file.
        folder: the folder of the list, whose first few thousand files are searched.
    """
    wanted = Path(row.source)
    beside = sorted(wanted.parent.iterdir()) if wanted.parent.is_dir() else []
    for path in (*beside, *islice(folder.rglob("*"), MOST_FILES)):
        same = path.name.casefold() == wanted.name.casefold()
        if path.is_file() and (same or (path in beside and path.stem == wanted.stem)):
            inside = path.is_relative_to(folder.absolute()) or path.is_relative_to(folder)
            shown = os.path.relpath(path, folder) if inside else path
            return f"; did you mean '{shown}'?"
    return ""


def _require_people(
    csv: Path, header: Sequence[str], rows: Sequence[ListedVideo], task: Task
) -> None:
    """Raise SvfapError if nothing says who is in the videos, and how to divide them."""
    if task == "unlabelled" or "fold" in rows[0].cells or any(r.cells.get("subject") for r in rows):
        return
    raise SvfapError(
        f"{csv}: add a column 'subject' or 'fold' (found: {', '.join(filter(None, header))}): with"
        " the same person in training and test, results are too good to be true. If a column has"
        " the people under another name, add `--subject COLUMN`; if each video shows another"
        " person, `--subject path`"
    )


def _name(csv: Path) -> str:
    """Return a name for an experiment, from the name of its list."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", csv.absolute().stem).strip("_-")[:60] or "videos"
    return f"my_{name}" if name.casefold() in TAKEN else name


def _task(csv: Path, rows: Sequence[ListedVideo]) -> Task:
    """Guess the task: text in `label` is a class, numbers in it or in other columns are values."""
    labels = {row.cells.get("label", "") for row in rows} - {""}
    numbers = _numbers(labels)
    if labels and not (numbers and (len(numbers) > MOST_RATINGS or _has_fraction(numbers))):
        return "classification"
    if labels or _value_columns(rows):
        return "regression"
    others = {column for column in rows[0].cells if column} - listing.ORDINARY_COLUMNS
    if "label" in rows[0].cells or others:
        columns.require(csv, list(rows[0].cells), "label")
        raise SvfapError(
            f"{csv}: column 'label' is blank; fill it in, or add `--task unlabelled` to pre-train"
        )
    return "unlabelled"


def _labels(rows: Sequence[ListedVideo], task: Task) -> dict[str, int]:
    if task == "classification":
        return dict(Counter(row.cells.get("label", "") for row in rows).most_common())
    if task == "unlabelled":
        return {}
    return dict.fromkeys(_value_columns(rows) or ["label"], len(rows))


def _value_columns(rows: Sequence[ListedVideo]) -> list[str]:
    """Return the columns of numbers that have no other meaning, `label` among them."""
    others = {c for c in rows[0].cells if c} - (listing.ORDINARY_COLUMNS - {"label"})
    return [
        column
        for column in rows[0].cells
        if column in others
        and not ROW_NUMBERS.fullmatch(column.casefold())
        and _numbers({row.cells[column] for row in rows})
    ]


def _folds(rows: Sequence[ListedVideo], task: Task) -> int:
    """Return a number of folds that people, and the people who show the rarest class, can fill."""
    people: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        label = row.cells.get("label", "") if task == "classification" else ""
        people[label].add(row.cells.get("subject", ""))
    return max(2, min(MOST_FOLDS, *map(len, people.values())))


def _numbers(texts: set[str]) -> list[float]:
    """Return texts as numbers; none if one of them is no number."""
    with suppress(ValueError):
        return [float(text) for text in texts]
    return []


def _has_fraction(numbers: Sequence[float]) -> bool:
    return any(number % 1 for number in numbers)
