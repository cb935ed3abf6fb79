"""Confusion counts and accuracy of each class."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from svfap.datasets.dataset import is_dataset
from svfap.evaluation.metrics import Counts, confusion_matrix, per_class_accuracy
from svfap.tables.cells import MISSING, csv_number
from svfap.tables.paper import rows_of
from svfap.tables.references import BASELINES
from svfap.tables.render import Table
from svfap.tables.results import OURS

MODELS = ("SVFAP-B", "SVFAP-S")
BASELINE = BASELINES["classification"]

COLUMNS = ("dataset", "class", "clips", "accuracy", *MODELS, "unit", "notice", "baseline")


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
        baseline: accuracy of the classical baseline in per cent; nan if it is switched off.
    """

    dataset: str
    name: str
    clips: int
    accuracy: float
    notice: str
    paper: Mapping[str, float] = field(default_factory=dict)
    baseline: float = math.nan


def confusion_of(groups: pd.DataFrame, num_classes: int) -> Counts:
    """Return confusion counts of a dataset's scored units, rows of `predictions.by_group`."""
    targets = np.stack(groups["target"].to_list())[:, 0]
    predicted = np.stack(groups["score"].to_list()).argmax(axis=1)
    return confusion_matrix(targets, predicted, num_classes=num_classes)


def class_results(
    dataset: str,
    matrix: Counts,
    classes: Iterable[str],
    notice: str,
    baseline: pd.DataFrame | None = None,
) -> list[ClassResult]:
    """Return the accuracy of each class from confusion counts, in index order.

    Args:
        dataset: name of the dataset.
        matrix: confusion counts of our model.
        classes: names of the classes in index order.
        notice: sentence that must accompany the dataset's results.
        baseline: scored units of the classical baseline; None if it is switched off.
    """
    floor = np.full(len(matrix), math.nan)
    if baseline is not None and len(baseline):
        floor = per_class_accuracy(confusion_of(baseline, len(matrix)))
    rows = zip(classes, matrix.sum(axis=1), per_class_accuracy(matrix), floor, strict=True)
    published = [row for row in rows_of("paper_classes") if is_dataset(dataset, row["dataset"])]
    paper = [{model: float(row[model]) for model in MODELS} for row in published]
    if len(paper) != len(matrix):  # the user's copy has other classes than the paper
        paper = [{}] * len(matrix)
    return [
        ClassResult(dataset, name, int(n), 100 * float(a), notice, theirs, 100 * float(b))
        for (name, n, a, b), theirs in zip(rows, paper, strict=True)
    ]


def by_model(results: Sequence[ClassResult]) -> dict[str, list[float]]:
    """Return model -> accuracy of each class of one dataset, ours first."""
    models = MODELS if all(result.paper for result in results) else ()
    ours = {OURS: [result.accuracy for result in results]}
    if _has_baseline(results):
        ours[BASELINE] = [result.baseline for result in results]
    return ours | {f"{m}, paper": [result.paper[m] for result in results] for m in models}


def class_table(results: Iterable[ClassResult]) -> Table:
    """Return accuracies by class as a table, with the notices as notes."""
    results = list(results)
    models = MODELS if any(result.paper for result in results) else ()
    compared = _has_baseline(results)
    rows = tuple(
        (
            result.dataset,
            result.name,
            f"{result.clips:,}",
            _percent(result.accuracy),
            *((_percent(result.baseline),) if compared else ()),
            *(f"{result.paper[m]:.2f}" if m in result.paper else MISSING for m in models),
        )
        for result in results
    )
    notices = {result.dataset: result.notice for result in results if result.notice}
    notes = tuple(f"{dataset}: {notice}" for dataset, notice in notices.items())
    columns = (
        *("Dataset", "Class", "Clips", "Accuracy"),
        *((BASELINE,) if compared else ()),
        *(f"{model}, paper" for model in models),
    )
    return Table(
        "Share of each class that is recognised, per cent",
        columns,
        rows,
        "ll" + "r" * (len(columns) - 2),
        notes,
    )


def class_rows(results: Iterable[ClassResult]) -> list[Mapping[str, object]]:
    """Return accuracies by class as rows of a CSV."""
    return [
        {
            "dataset": result.dataset,
            "class": result.name,
            "clips": result.clips,
            "accuracy": csv_number(result.accuracy),
            **{model: result.paper.get(model, "") for model in MODELS},
            "unit": "percent",
            "notice": result.notice,
            "baseline": csv_number(result.baseline),
        }
        for result in results
    ]


def _has_baseline(results: Iterable[ClassResult]) -> bool:
    """Return whether the classical baseline recognised a class, or could have."""
    return not all(math.isnan(result.baseline) for result in results)


def _percent(value: float) -> str:
    return MISSING if math.isnan(value) else f"{value:.2f}"
