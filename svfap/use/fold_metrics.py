"""Metrics of a shared model by test fold, from the predictions of its test clips."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from svfap.datasets import DATASETS
from svfap.evaluation import predictions
from svfap.evaluation.metrics import METRICS
from svfap.experiment.layout import FINAL, FINETUNED, PREDICTIONS
from svfap.use.bundle import Bundle

POOLED = "pooled"
# These are the metrics of a dataset that the package does not know, such as one named with
# --predictions.
_DEFAULT_METRICS = {"classification": ("UAR", "WAR"), "regression": ("PCC", "CCC")}


def metrics_by_fold(paths: Sequence[Path], targets: Sequence[str]) -> list[dict[str, Any]]:
    """Return rows of dataset, fold, target, metric, value and clips.

    Several folds of a dataset are also pooled: more rows have the metrics of all their clips
    together.

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
            rows += _fold_rows(str(dataset), fold, part, targets)
    return rows


def with_metrics(bundle: Bundle, paths: Sequence[Path] = ()) -> Bundle:
    """Return the model with the metrics of its predictions.

    Args:
        bundle: the model.
        paths: predictions of the stage `evaluate`. If empty, they are looked for beside the model's
            checkpoint; if none are found, the model keeps the metrics it was loaded with.

    Raises:
        SvfapError: the predictions are damaged or do not belong together.
    """
    rows = metrics_by_fold(paths or find_predictions(Path(bundle.name)), bundle.facts.job.targets)
    return replace(bundle, metrics=tuple(rows)) if rows else bundle


def own_figure(bundle: Bundle) -> str:
    """Return a sentence with the model's own test figure, which belongs beside its scores.

    Without an evaluation, the sentence says so. The first call reads the predictions, and the
    bundle keeps the sentence.

    Raises:
        SvfapError: the predictions are damaged or do not belong together.
    """
    if not bundle.figure:
        bundle.figure.append(_describe_figure(bundle))
    return bundle.figure[0]


def _describe_figure(bundle: Bundle) -> str:
    """Return the sentence of `own_figure`."""
    rows = with_metrics(bundle).metrics
    folds = [row["fold"] for row in rows]
    rows = tuple(row for row in rows if row["fold"] == (POOLED if POOLED in folds else folds[0]))
    if not rows:
        return "It is not known how well this model does: its folder has no test figures."
    name = next((each for each in ("UAR", "CCC") if each in {row["metric"] for row in rows}), "")
    name = name or rows[0]["metric"]
    values = [row["value"] for row in rows if row["metric"] == name]
    percent = METRICS[name].task == "classification"
    value = f"{100 * np.mean(values):.1f}" if percent else f"{np.mean(values):.3f}"
    mean = " on average" if len(values) > 1 else ""
    by_guessing = {"UAR": f"{100 / len(bundle.facts.job.targets):.1f}", "CCC": "0", "PCC": "0"}
    chance = f"; guessing gives {by_guessing[name]}" if name in by_guessing else ""
    return (
        f"Tested on {rows[0]['clips']} clips of {rows[0]['dataset']}: {name} {value}{mean}{chance}."
    )


def find_predictions(checkpoint: Path) -> list[Path]:
    """Find the predictions of all folds of a checkpoint's dataset, in the workflow's results."""
    place = _place(checkpoint)
    names = FINETUNED.parse(place)
    if names is None:
        return []
    below_results = FINETUNED.path(Path(), **names)
    results = place.parents[len(below_results.parts) - 1]
    pattern = PREDICTIONS.path(Path(), run=names["run"], dataset=names["dataset"], fold="*")
    return sorted(results.glob(str(pattern)))


def fold_warning(bundle: Bundle) -> str:
    """Return a warning if a model belongs to a fold, with where to find a model of all clips."""
    place = _place(Path(bundle.name))
    names = FINETUNED.parse(place)
    if names is None or bundle.facts.final:
        return ""
    final = place.parents[1] / FINAL / place.name
    advice = (
        f"export {final} instead, the model of all clips"
        if final.is_file()
        else "set finetune.final: true to train a model on all clips"
    )
    return f"the model of fold {names['fold']} has not learnt from that fold's test clips; {advice}"


def _place(checkpoint: Path) -> Path:
    """Return where the workflow would have written a checkpoint in the same folder."""
    # Users rename checkpoints; the folder alone says which run, dataset and fold it belongs to.
    return checkpoint.absolute().parent / Path(FINETUNED.pattern).name


def _fold_rows(
    dataset: str, fold: str, units: pd.DataFrame, targets: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Yield a row per metric of one fold, and per target if the metric has a value for each."""
    true, scores = (np.stack(units[column].to_list()) for column in ("target", "score"))
    # Classification has one label with several scores; regression has a score per label.
    single = true.shape[1] == 1 and scores.shape[1] > 1
    task = "classification" if single else "regression"
    known = DATASETS.get(dataset)
    for name in known.metrics if known else _DEFAULT_METRICS[task]:
        values = METRICS[name].compute(true, scores).tolist()
        labels = list(targets) if len(values) == len(targets) and len(values) > 1 else [""]
        for label, value in zip(labels, values, strict=True):
            yield {
                "dataset": dataset,
                "fold": fold,
                "target": label,
                "metric": name,
                "value": round(float(value), 6),
                "clips": len(units),
            }
