"""Figures of merit of a shared model, fold by fold, from the predictions of its test clips."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from svfap.datasets import DATASETS
from svfap.evaluation import predictions
from svfap.evaluation.metrics import METRICS
from svfap.use.bundle import Bundle

POOLED = "pooled"
_USUAL = {"classification": ("UAR", "WAR"), "regression": ("PCC", "CCC")}


def figures(paths: Sequence[Path], targets: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of dataset, fold, target, metric, value and clips; of several folds pooled ones, too.

    Args:
        paths: predictions of the stage `evaluate`.
        targets: names of the classes or values.

    Raises:
        SvfapError: the predictions are damaged or do not belong together.
    """
    if not paths:
        return []
    units = predictions.by_group(predictions.by_clip(predictions.read(paths)))
    rows: list[dict[str, Any]] = []
    for dataset, own in units.groupby("dataset", sort=False):
        folds = [(str(fold), part) for fold, part in own.groupby("fold", sort=False)]
        for fold, part in [*folds, *([(POOLED, own)] if len(folds) > 1 else [])]:
            rows += _of(str(dataset), fold, part, targets)
    return rows


def evaluated(bundle: Bundle, paths: Sequence[Path] = ()) -> Bundle:
    """A model with the figures of its predictions; without any, with those it was loaded with.

    Args:
        bundle: the model.
        paths: predictions of the stage `evaluate`; empty: those beside its checkpoint, if any.

    Raises:
        SvfapError: the predictions are damaged or do not belong together.
    """
    rows = figures(paths or beside(Path(bundle.name)), bundle.facts.job.targets)
    return replace(bundle, metrics=tuple(rows)) if rows else bundle


def beside(checkpoint: Path) -> list[Path]:
    """Predictions of the same dataset, where the workflow puts them beside a checkpoint."""
    parts = checkpoint.absolute().parent.parts
    if len(parts) < 3 or parts[-3] != "finetune":
        return []
    folder = Path(*parts[:-3]) / "evaluate" / parts[-2]
    return sorted(folder.glob("*/predictions.parquet"))


def _of(
    dataset: str, fold: str, units: pd.DataFrame, targets: Sequence[str]
) -> Iterator[dict[str, Any]]:
    true, scores = (np.stack(units[column].to_list()) for column in ("target", "score"))
    single = true.shape[1] == 1 and scores.shape[1] > 1
    task = "classification" if single else "regression"
    known = DATASETS.get(dataset)
    for name in known.metrics if known else _USUAL[task]:
        values = METRICS[name].compute(true, scores).tolist()
        labels = list(targets) if len(values) == len(targets) and len(values) > 1 else [""]
        for label, value in zip(labels, values, strict=True):
            yield {
                "dataset": dataset, "fold": fold, "target": label, "metric": name,
                "value": round(float(value), 6), "clips": len(units),
            }  # fmt: skip
