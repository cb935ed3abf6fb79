"""Draw the figures of results: by class, true against predicted values, and training curves."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from svfap.config.stage_sections import DatasetFacts, TabulateConfig
from svfap.errors import SvfapError
from svfap.experiment import layout
from svfap.plots.classes import draw_class_bars, draw_confusion
from svfap.plots.curves import draw_curves, read_curve
from svfap.plots.scatter import draw_scatter
from svfap.tables.per_class import ClassResult, by_model, confusion_of
from svfap.tables.results import Result, folds_done
from svfap.tables.scored import parse

PRETRAIN = "pretrain"  # folder of pre-training's figure; a fine-tuning's is named by its dataset
PRETRAIN_CURVE = layout.PRETRAINED.beside(layout.CURVE)
FINETUNE_CURVE = layout.FINETUNED.beside(layout.CURVE)
SCATTER_METRIC = "CCC"


def draw_results(
    config: TabulateConfig,
    units: Mapping[str, pd.DataFrame],
    found: Iterable[ClassResult],
    measured: Iterable[Result],
    notes: Mapping[str, str],
    results: Path,
) -> None:
    """Draw bars and confusion matrix of each dataset with classes, and a scatter of the others.

    Args:
        config: facts of the datasets.
        units: dataset -> rows of `predictions.by_group` of the main run.
        found: accuracies by class of the datasets with classes.
        measured: results of the main run.
        notes: dataset -> the sentence on chance at the foot of its figures.
        results: the folder of results.
    """
    found, measured = list(found), list(measured)
    for name, facts in config.datasets.items():
        rows = units[name]
        if not len(rows):
            continue
        foot = f"{notes.get(name, '')} {facts.notice}".strip()
        if facts.task == "regression":
            _draw_values(
                name, facts, rows, [r for r in measured if r.dataset == name], foot, results
            )
            continue
        draw_class_bars(
            by_model([result for result in found if result.dataset == name]),
            facts.targets,
            title=f"{name}: accuracy by class",
            path=layout.CLASSES_FIGURE.path(results, dataset=name),
            notice=foot,
        )
        draw_confusion(
            confusion_of(rows, len(facts.targets)),
            facts.targets,
            title=f"{name}: confusion matrix, {folds_done(rows, facts)}",
            path=layout.CONFUSION_FIGURE.path(results, dataset=name),
            notice=foot,
        )


def _draw_values(
    name: str,
    facts: DatasetFacts,
    rows: pd.DataFrame,
    measured: Iterable[Result],
    foot: str,
    results: Path,
) -> None:
    """Draw true against predicted values of a regression, with the concordance of each."""
    agreement = {
        result.target: f": {SCATTER_METRIC} {result.value:.3f}"
        for result in measured
        if result.metric == SCATTER_METRIC and not result.fold
    }
    draw_scatter(
        np.stack(rows["target"].to_list()).astype(np.float64),
        np.stack(rows["score"].to_list()).astype(np.float64),
        [target + agreement.get(target, "") for target in facts.targets],
        title=f"{name}: true and predicted values, {folds_done(rows, facts)}",
        path=layout.SCATTER_FIGURE.path(results, dataset=name),
        notice=foot,
    )


def draw_training(config: TabulateConfig, paths: Iterable[Path], results: Path) -> None:
    """Draw one figure for pre-training, and one with all folds for each dataset.

    Args:
        config: facts of the datasets.
        paths: curve CSVs of the main run's trainings.
        results: the folder of results.

    Raises:
        SvfapError: a curve is damaged, or does not fit the configuration.
    """
    by_name: dict[str, dict[str, pd.DataFrame]] = {}
    for path in paths:
        name, fold = _training_of(path, results)
        by_name.setdefault(name, {})[fold] = read_curve(path)
    for name, frames in by_name.items():
        if name != PRETRAIN and name not in config.datasets:
            raise SvfapError(f"a training curve of {name}, which the configuration does not name")
        facts = config.datasets.get(name)
        draw_curves(
            frames,
            title="Pre-training" if facts is None else f"{name}: fine-tuning",
            path=layout.CURVES_FIGURE.path(results, dataset=name),
            notice=config.pretrain_notice if facts is None else facts.notice,
            legend="test fold",
        )


def _training_of(path: Path, results: Path) -> tuple[str, str]:
    """Return dataset and fold of a curve; "pretrain" and no fold for pre-training."""
    if parse(PRETRAIN_CURVE, path, results):
        return PRETRAIN, ""
    names = parse(FINETUNE_CURVE, path, results)
    if names is None:
        raise SvfapError(
            f"{path}: not a training curve's place; pass {PRETRAIN_CURVE.pattern} or"
            f" {FINETUNE_CURVE.pattern} below {results}"
        )
    return names["dataset"], names["fold"]
