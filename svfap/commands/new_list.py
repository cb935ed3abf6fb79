"""What a list of videos holds, for `svfap new`: task, labels, people and missing files."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from svfap.config.labels import Task
from svfap.datasets import listing
from svfap.datasets.listing import ListedVideo
from svfap.errors import SvfapError
from svfap.experiment import layout
from svfap.sources import is_url

MOST_FOLDS = 5
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
    """

    name: str
    csv: Path
    videos: int
    task: Task
    labels: dict[str, int]
    people: int
    folds: int
    missing: tuple[ListedVideo, ...]


def read(csv: Path, *, name: str = "", task: Task | None = None) -> OwnList:
    """Read a list and guess its task, unless it is given.

    Raises:
        SvfapError: the list is wrong, or none of its files exists.
    """
    rows = listing.read(csv)
    missing = tuple(row for row in rows if not (is_url(row.source) or Path(row.source).exists()))
    if len(missing) == len(rows):
        raise SvfapError(
            f"{missing[0].where}: {missing[0].source} does not exist, nor does any other video;"
            " paths are relative to the folder of the list"
        )
    found = task or _task(rows)
    return OwnList(
        name=name or _name(csv),
        csv=csv,
        videos=len(rows),
        task=found,
        labels=_labels(rows, found),
        people=len({row.cells["subject"] for row in rows if row.cells.get("subject")}),
        folds=0 if "fold" in rows[0].cells or found == "unlabelled" else _folds(rows, found),
        missing=missing,
    )


def _name(csv: Path) -> str:
    """Return a name for an experiment, from the name of its list."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", csv.absolute().stem).strip("_-")[:60] or "videos"
    return f"my_{name}" if name.casefold() in TAKEN else name


def _task(rows: Sequence[ListedVideo]) -> Task:
    """Guess the task: text in `label` is a class, numbers in it or in other columns are values."""
    labels = {row.cells.get("label", "") for row in rows} - {""}
    numbers = _numbers(labels)
    if labels and not (numbers and (len(numbers) > MOST_RATINGS or _has_fraction(numbers))):
        return "classification"
    return "regression" if labels or _value_columns(rows) else "unlabelled"


def _labels(rows: Sequence[ListedVideo], task: Task) -> dict[str, int]:
    if task == "classification":
        return dict(Counter(row.cells.get("label", "") for row in rows).most_common())
    if task == "unlabelled":
        return {}
    return dict.fromkeys(_value_columns(rows) or ["label"], len(rows))


def _value_columns(rows: Sequence[ListedVideo]) -> list[str]:
    """Return the columns of numbers that have no other meaning, `label` among them."""
    columns = [c for c in rows[0].cells if c and c not in listing.ORDINARY_COLUMNS - {"label"}]
    return [column for column in columns if _numbers({row.cells[column] for row in rows})]


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
