"""Measure our results, pooled over folds and by fold, and hold the numbers that tables show."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from svfap.config.stage_sections import DatasetFacts
from svfap.errors import SvfapError
from svfap.evaluation import bootstrap
from svfap.evaluation.metrics import METRICS

OURS = "ours"
THIS_RUN = "this run"
PERCENT = "percent"
AVERAGE = "average"


@dataclass(frozen=True)
class Result:
    """The value of one metric of one model on one dataset, in the unit of tables.

    Attributes:
        dataset: name of the dataset.
        model: name of the model.
        metric: name in `svfap.evaluation.metrics.METRICS`.
        target: the regressed value, or "average" of all; empty in classification.
        value: per cent for classification, the plain figure for regression; nan if undefined.
        source: "this run", "paper" or another publication.
        fold: the fold of the measurement; empty for all folds pooled.
        clips: number of scored units; 0 if unknown.
        folds: how many folds have predictions, in words.
        fold_mean: mean over folds.
        fold_std: sample standard deviation over folds; nan with fewer than two.
        seed_std: sample standard deviation over seeds, if `value` is a mean over seeds.
        interval: 95 % bootstrap interval of a pooled result, in the unit of `value`.
        resampled: what the bootstrap draws, for example "91 subjects".
        lead: our value minus this one on the same clips, if this is a result to compare ours with.
        answer: the one answer that chance gives to every clip, in words.
    """

    dataset: str
    model: str
    metric: str
    target: str
    value: float
    source: str
    fold: str = ""
    clips: int = 0
    folds: str = ""
    fold_mean: float = math.nan
    fold_std: float = math.nan
    seed_std: float = math.nan
    interval: bootstrap.Interval = bootstrap.UNDEFINED
    resampled: str = ""
    lead: bootstrap.Difference | None = None
    answer: str = ""

    @property
    def unit(self) -> str:
        """The unit of `value`; empty if it has none."""
        return PERCENT if METRICS[self.metric].percent else ""

    @property
    def decimals(self) -> int:
        """Number of decimals: two for percentages, four for other values, as in the paper."""
        return 2 if self.unit else 4


def check_predictions(frame: pd.DataFrame, dataset: str, facts: DatasetFacts) -> None:
    """Check that predictions fit the facts of their dataset.

    Args:
        frame: rows of `predictions.read`, of this dataset only.
        dataset: its name, for messages.
        facts: its task, targets, metrics and folds.

    Raises:
        SvfapError: a fold or metric is unknown, or targets or scores have a wrong number or range.
    """
    for name in facts.metrics:
        if name not in METRICS or METRICS[name].task != facts.task:
            known = ", ".join(key for key, metric in METRICS.items() if metric.task == facts.task)
            raise SvfapError(
                f"{dataset}: {name!r} is not a metric of {facts.task}; choose from {known}"
            )
    if not len(frame):
        return
    unknown = sorted({*frame["fold"]} - {*facts.folds})
    if unknown:
        raise SvfapError(
            f"{dataset}: predictions of unknown folds {', '.join(unknown)}; the protocol has"
            f" {', '.join(facts.folds)}. Delete the folders of an older configuration"
        )
    classes = facts.task == "classification"
    widths = len(frame["target"].iloc[0]), len(frame["score"].iloc[0])
    expected = (1 if classes else len(facts.targets)), len(facts.targets)
    if widths != expected:
        raise SvfapError(
            f"{dataset}: predictions have {widths[0]} targets and {widths[1]} scores a clip,"
            f" {expected[0]} and {expected[1]} are expected; evaluate again"
        )
    labels = np.stack(frame["target"].to_list())
    if classes and not np.isin(labels, np.arange(len(facts.targets))).all():
        raise SvfapError(
            f"{dataset}: a class index is outside 0..{len(facts.targets) - 1}; check the labels"
        )


def measure(
    groups: pd.DataFrame, dataset: str, facts: DatasetFacts, *, model: str = OURS
) -> list[Result]:
    """Compute each metric on all folds pooled (`fold` empty), then on each fold with predictions.

    Args:
        groups: rows of `predictions.by_group`, of this dataset only; may be empty.
        dataset: its name.
        facts: its task, targets, metrics and folds.
        model: the model that made the predictions.
    """
    parts = {fold: groups[groups["fold"] == fold] for fold in facts.folds}
    parts = {fold: rows for fold, rows in parts.items() if len(rows)}
    done = folds_done(groups, facts)
    drawn = str(bootstrap.units_of(groups)) if len(groups) else ""
    pooled, by_fold = [], []
    for metric in facts.metrics:
        intervals = _intervals(groups, metric, facts)
        overall = compute(groups, metric, facts)
        single = {fold: compute(rows, metric, facts) for fold, rows in parts.items()}
        for target, value in overall.items():
            values = [figures[target] for figures in single.values()]
            spread = statistics.stdev(values) if len(values) > 1 else math.nan
            mean = statistics.fmean(values) if values else math.nan
            names = (dataset, model, metric, target)
            pooled.append(
                Result(
                    *names,
                    value,
                    THIS_RUN,
                    clips=len(groups),
                    folds=done,
                    fold_mean=mean,
                    fold_std=spread,
                    interval=intervals.get(target, bootstrap.UNDEFINED),
                    resampled=drawn,
                )
            )
            by_fold += [
                Result(*names, figures[target], THIS_RUN, fold=fold, clips=len(parts[fold]))
                for fold, figures in single.items()
            ]
    return pooled + by_fold


def folds_done(groups: pd.DataFrame, facts: DatasetFacts) -> str:
    """Return how many folds have predictions, for example "partial, 2 of 3 folds"."""
    total = len(facts.folds)
    done = groups["fold"].nunique()
    partial = "partial, " if 0 < done < total else ""
    return f"{partial}{done} of {total} fold{'s' if total != 1 else ''}"


def _intervals(
    groups: pd.DataFrame, metric: str, facts: DatasetFacts
) -> dict[str, bootstrap.Interval]:
    """Return target -> its interval in the unit of tables.

    If there are several targets, add their average.
    """
    if not len(groups):
        return {}
    drawn = bootstrap.replicates(groups, metric, units=bootstrap.units_of(groups))
    drawn = drawn * (100 if METRICS[metric].percent else 1)
    names = facts.targets if facts.task == "regression" else ("",)
    found = {name: bootstrap.interval(drawn[:, n]) for n, name in enumerate(names)}
    if len(names) > 1:
        found[AVERAGE] = bootstrap.interval(drawn.mean(axis=1))
    return found


def compute(groups: pd.DataFrame, metric: str, facts: DatasetFacts) -> dict[str, float]:
    """Return target -> value of a metric in the unit of tables.

    If there are several targets, add their average. An undefined target makes the average
    undefined: omitting it would flatter the model.
    """
    names: Sequence[str] = facts.targets if facts.task == "regression" else ("",)
    if not len(groups):
        values = np.full(len(names), math.nan)
    else:
        targets = np.stack(groups["target"].to_list()).astype(np.float64)
        scores = np.stack(groups["score"].to_list()).astype(np.float64)
        values = METRICS[metric].compute(targets, scores)
    scale = 100 if METRICS[metric].percent else 1
    figures = {name: scale * float(value) for name, value in zip(names, values, strict=True)}
    if len(names) > 1:
        figures[AVERAGE] = scale * float(values.mean())
    return figures
