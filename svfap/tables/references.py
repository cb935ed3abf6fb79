"""What a model must beat: chance, and the classical baseline of stage `baseline`."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from svfap.config.stage_sections import DatasetFacts, TabulateConfig
from svfap.evaluation import bootstrap
from svfap.evaluation.bootstrap import Difference, Interval
from svfap.evaluation.metrics import METRICS
from svfap.experiment.layout import MAIN
from svfap.tables.results import AVERAGE, THIS_RUN, Result, compute, folds_done, measure
from svfap.tables.scored import BASELINE_RUN, Scored

CHANCE = "chance"
BASELINES = {
    "classification": "HOG + logistic regression",
    "regression": "HOG + ridge regression",
}
MOST_VARIANTS = 5  # that a first screen shows
NOTE = (
    f"{CHANCE}: the same answer for each clip, the most frequent class or the mean value; HOG: a"
    " linear model of the shapes in three frames of a clip, without pre-training."
)


def reference_results(config: TabulateConfig, scored: Scored) -> list[Result]:
    """Return the results of chance and of the baseline on every dataset, the latter by fold too."""
    found = []
    for name, facts in config.datasets.items():
        ours = scored[MAIN][name]
        found += _chance(ours, name, facts) if len(ours) else []
        baseline = scored.get(BASELINE_RUN, {}).get(name)
        if baseline is not None and len(baseline):
            found += compare(ours, baseline, name, facts, model=BASELINES[facts.task])
    return found


def variant_results(config: TabulateConfig, scored: Scored) -> list[Result]:
    """Return the results of the variants on every dataset; none if they are many."""
    return [
        result
        for run, variant in config.runs.items()
        if len(config.runs) <= MOST_VARIANTS and run in scored
        for name, facts in config.datasets.items()
        if len(scored[run][name])
        for result in compare(
            scored[MAIN][name], scored[run][name], name, facts, model=variant.label
        )
    ]


def compare(
    ours: pd.DataFrame, other: pd.DataFrame, dataset: str, facts: DatasetFacts, *, model: str
) -> list[Result]:
    """Return the results of another model, pooled ones with our lead on the clips of both."""
    return [
        replace(result, lead=difference(other, ours, result.metric))
        if len(ours) and is_main(result, facts.targets)
        else result
        for result in measure(other, dataset, facts, model=model)
    ]


def difference(first: pd.DataFrame, second: pd.DataFrame, metric: str) -> Difference:
    """Return the change of a metric from the first run to the second, in the unit of tables."""
    found = bootstrap.paired(first, second, metric)
    scale = 100 if METRICS[metric].percent else 1
    ends = Interval(scale * found.interval.low, scale * found.interval.high)
    return Difference(scale * found.value, ends, found.p)


def is_main(result: Result, targets: Sequence[str]) -> bool:
    """Return whether a result is pooled, and the average if there are several targets."""
    return not result.fold and (result.target in ("", AVERAGE) or len(targets) == 1)


def _chance(groups: pd.DataFrame, dataset: str, facts: DatasetFacts) -> list[Result]:
    """Return the results of a model that knows the answers, but gives one answer to all clips."""
    targets = np.stack(groups["target"].to_list())
    if facts.task == "classification":
        counts = np.bincount(targets[:, 0].astype(int), minlength=len(facts.targets))
        answer, words = counts / counts.sum(), _majority(counts.tolist(), facts.targets)
    else:
        answer, words = targets.mean(axis=0), "the mean value for every clip"
    constant = groups.assign(score=[answer] * len(groups))
    done = folds_done(groups, facts)
    return [
        Result(
            *(dataset, CHANCE, metric, target, value, THIS_RUN),
            clips=len(groups),
            folds=done,
            answer=words,
        )
        for metric in facts.metrics
        for target, value in compute(constant, metric, facts).items()
    ]


def _majority(counts: Sequence[int], names: Sequence[str]) -> str:
    """Return the most frequent class in words, with its share of the clips."""
    most = max(counts)
    name = names[counts.index(most)]
    which = (
        f"{name}, the most frequent class" if counts.count(most) == 1 else f"one class, as {name}"
    )
    return f"always {which}: {most:,} of {sum(counts):,} clips"
