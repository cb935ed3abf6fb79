"""Confusion counts and accuracy of each class."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from svfap.datasets.dataset import is_dataset
from svfap.evaluation.metrics import Counts, confusion_matrix, per_class_accuracy
from svfap.tables.cells import MISSING
from svfap.tables.paper import rows_of
from svfap.tables.render import Table
from svfap.tables.results import OURS

MODELS = ("SVFAP-B", "SVFAP-S")

COLUMNS = ("dataset", "class", "clips", "accuracy", *MODELS, "unit", "notice")


@dataclass(frozen=True)
class ClassResult:
    """Accuracy of one class, with all folds pooled.

    Attributes:
        dataset: name of the dataset.
        name: name of the class.
        clips: number of scored units of the class.
        accuracy: per cent; nan if the class never occurs.
        notice: sentence that must accompany the dataset's results.
        paper: accuracies of the paper's models in per cent, by model; empty if not reported.
    """

    dataset: str
    name: str
    clips: int
    accuracy: float
    notice: str
    paper: Mapping[str, float] = field(default_factory=dict)


def confusion_of(groups: pd.DataFrame, num_classes: int) -> Counts:
    """Return confusion counts of a dataset's scored units, rows of `predictions.by_group`."""
    targets = np.stack(groups["target"].to_list())[:, 0]
    predicted = np.stack(groups["score"].to_list()).argmax(axis=1)
    return confusion_matrix(targets, predicted, num_classes=num_classes)


def class_results(
    dataset: str, matrix: Counts, classes: Iterable[str], notice: str
) -> list[ClassResult]:
    """Return the accuracy of each class from confusion counts, in index order."""
    rows = zip(classes, matrix.sum(axis=1), per_class_accuracy(matrix), strict=True)
    published = [row for row in rows_of("paper_classes") if is_dataset(dataset, row["dataset"])]
    paper = [{model: float(row[model]) for model in MODELS} for row in published]
    if len(paper) != len(matrix):  # the user's copy has other classes than the paper
        paper = [{}] * len(matrix)
    return [
        ClassResult(dataset, name, int(n), 100 * float(a), notice, theirs)
        for (name, n, a), theirs in zip(rows, paper, strict=True)
    ]


def by_model(results: Sequence[ClassResult]) -> dict[str, list[float]]:
    """Return model -> accuracy of each class of one dataset, ours first."""
    models = MODELS if all(result.paper for result in results) else ()
    ours = {OURS: [result.accuracy for result in results]}
    return ours | {f"{m}, paper": [result.paper[m] for result in results] for m in models}


def class_table(results: Iterable[ClassResult]) -> Table:
    """Return accuracies by class as a table, with the notices as notes."""
    results = list(results)
    models = MODELS if any(result.paper for result in results) else ()
    rows = tuple(
        (
            result.dataset,
            result.name,
            f"{result.clips:,}",
            MISSING if math.isnan(result.accuracy) else f"{result.accuracy:.2f}",
            *(f"{result.paper[m]:.2f}" if m in result.paper else MISSING for m in models),
        )
        for result in results
    )
    notices = {result.dataset: result.notice for result in results if result.notice}
    notes = tuple(f"{dataset}: {notice}" for dataset, notice in notices.items())
    columns = ("Dataset", "Class", "Clips", "Accuracy", *(f"{model}, paper" for model in models))
    return Table(
        "Share of each class that is recognised, per cent",
        columns,
        rows,
        "llrr" + "r" * len(models),
        notes,
    )


def class_rows(results: Iterable[ClassResult]) -> list[Mapping[str, object]]:
    """Return accuracies by class as rows of a CSV."""
    return [
        {
            "dataset": result.dataset,
            "class": result.name,
            "clips": result.clips,
            "accuracy": "" if math.isnan(result.accuracy) else f"{result.accuracy:.6g}",
            **{model: result.paper.get(model, "") for model in MODELS},
            "unit": "percent",
            "notice": result.notice,
        }
        for result in results
    ]
