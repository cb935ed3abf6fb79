"""How well each class is recognised: confusion counts and per-class accuracy."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from svfap.metrics import Counts, confusion_matrix, per_class_accuracy
from svfap.tables.layout import MISSING
from svfap.tables.render import Table

COLUMNS = ("dataset", "class", "clips", "accuracy", "unit", "notice")


@dataclass(frozen=True)
class ClassResult:
    """Accuracy of one class, all folds pooled.

    Attributes:
        dataset: name of the dataset.
        name: name of the class.
        clips: number of scored units of the class.
        accuracy: per cent; nan if the class never occurs.
        notice: sentence that must stand wherever the dataset's results are shown.
    """

    dataset: str
    name: str
    clips: int
    accuracy: float
    notice: str


def confusion_of(groups: pd.DataFrame, num_classes: int) -> Counts:
    """Confusion counts of a dataset's scored units, rows of `predictions.by_group`."""
    targets = np.stack(groups["target"].to_list())[:, 0]
    predicted = np.stack(groups["score"].to_list()).argmax(axis=1)
    return confusion_matrix(targets, predicted, num_classes=num_classes)


def class_results(
    dataset: str, matrix: Counts, classes: Iterable[str], notice: str
) -> list[ClassResult]:
    """Accuracy of each class from confusion counts, in index order."""
    rows = zip(classes, matrix.sum(axis=1), per_class_accuracy(matrix), strict=True)
    return [ClassResult(dataset, name, int(n), 100 * float(a), notice) for name, n, a in rows]


def table(results: Iterable[ClassResult]) -> Table:
    """Per-class accuracies as a table to be shown; each notice stands below."""
    results = list(results)
    rows = tuple(
        (
            result.dataset,
            result.name,
            f"{result.clips:,}",
            MISSING if math.isnan(result.accuracy) else f"{result.accuracy:.2f}",
        )
        for result in results
    )
    notices = {result.dataset: result.notice for result in results if result.notice}
    notes = tuple(f"{dataset}: {notice}" for dataset, notice in notices.items())
    columns = ("Dataset", "Class", "Clips", "Accuracy")
    return Table("Share of each class that is recognised, per cent", columns, rows, "llrr", notes)


def tidy(results: Iterable[ClassResult]) -> list[Mapping[str, object]]:
    """Per-class accuracies as rows of a CSV."""
    return [
        {
            "dataset": result.dataset,
            "class": result.name,
            "clips": result.clips,
            "accuracy": "" if math.isnan(result.accuracy) else f"{result.accuracy:.6g}",
            "unit": "percent",
            "notice": result.notice,
        }
        for result in results
    ]
