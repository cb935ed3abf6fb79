"""Uncertainty of metrics: 95 % bootstrap intervals that resample people, not clips.

Clips of one person are alike, so resampling clips would give intervals that are too narrow. Whole
subjects are drawn with replacement; where subjects are unknown, scored units are drawn instead.
Each metric is a function of sums over clips (`svfap.evaluation.metrics`), so a resample is a row of
counts, and all resamples are one matrix product.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from svfap.evaluation.metrics import METRICS, Counts, Floats

REPLICATES = 2000  # resamples; the ends of an interval then vary by about 2 % of its width
LEVEL = 0.95
CELLS = 4_000_000  # largest number of counts in memory at once, 32 MB of float64


@dataclass(frozen=True)
class Units:
    """The units that are resampled: subjects, or clips where subjects are unknown.

    Attributes:
        codes: number of the unit of each row, (n,).
        count: number of units.
        noun: "subjects" or "clips", for tables.
    """

    codes: Counts
    count: int
    noun: str

    def __str__(self) -> str:
        return f"{self.count:,} {self.noun}"


@dataclass(frozen=True)
class Interval:
    """A percentile interval of one metric; its ends are nan if the metric is undefined."""

    low: float
    high: float


UNDEFINED = Interval(float("nan"), float("nan"))


@dataclass(frozen=True)
class Difference:
    """A metric of a second run minus that metric of a first run, on the same units.

    Attributes:
        value: the difference.
        interval: interval of the difference.
        p: two-sided p-value: twice the share of resamples on the other side of zero.
    """

    value: float
    interval: Interval
    p: float


def units_of(groups: pd.DataFrame) -> Units:
    """Find the units to resample in rows of `predictions.by_group`."""
    subjects = groups["subject"].to_numpy(dtype=str)
    known = bool(len(subjects)) and bool((subjects != "").all())
    names = subjects if known else groups["group"].to_numpy(dtype=str)
    found, codes = np.unique(names, return_inverse=True)
    return Units(codes, len(found), "subjects" if known else "clips")


def replicates(groups: pd.DataFrame, metric: str, *, units: Units, seed: int = 0) -> Floats:
    """Compute a metric of `REPLICATES` resamples.

    The same units and seed give the same resamples for every metric and run.

    Args:
        groups: rows of `predictions.by_group` of one dataset.
        metric: name in `svfap.evaluation.metrics.METRICS`.
        units: the units of the rows of `groups`.
        seed: seed of the resampling.

    Returns:
        The metric of each resample as fractions, (REPLICATES, d).
    """
    targets, scores = (
        np.stack(groups[column].to_list()).astype(np.float64) for column in ("target", "score")
    )
    chosen = METRICS[metric]
    per_clip = chosen.per_clip(targets, scores)
    sums = np.zeros((units.count, *per_clip.shape[1:]))
    np.add.at(sums, units.codes, per_clip)
    flat = sums.reshape(units.count, -1)
    values = [
        chosen.of_sums((counts @ flat).reshape(-1, *sums.shape[1:]))
        for counts in _draw_counts(units.count, seed)
    ]
    return np.concatenate(values).reshape(REPLICATES, -1)


def interval(values: Floats) -> Interval:
    """Find the middle 95 % of resampled values (REPLICATES,), without undefined values."""
    defined = values[~np.isnan(values)]
    if not defined.size:
        return UNDEFINED
    low, high = np.quantile(defined, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return Interval(float(low), float(high))


def paired(first: pd.DataFrame, second: pd.DataFrame, metric: str, *, seed: int = 0) -> Difference:
    """Compare two runs on the units that both have scored.

    Args:
        first: rows of `predictions.by_group` of one dataset.
        second: rows of the second run on the same dataset.
        metric: name in `svfap.evaluation.metrics.METRICS`; several targets are averaged.
        seed: seed of the resampling.

    Returns:
        The difference as a fraction; nan if the runs share no unit.
    """
    keys = first.merge(second, on=["fold", "group"], suffixes=("", "_second"))[["fold", "group"]]
    if keys.empty:
        return Difference(float("nan"), UNDEFINED, float("nan"))
    both = [keys.merge(run, on=["fold", "group"]) for run in (first, second)]
    units = units_of(both[0])
    values, drawn = [], []
    for run in both:
        targets, scores = (np.stack(run[c].to_list()).astype(float) for c in ("target", "score"))
        values.append(float(METRICS[metric].compute(targets, scores).mean()))
        drawn.append(replicates(run, metric, units=units, seed=seed).mean(axis=1))
    gains = drawn[1] - drawn[0]
    # The observed data count as one more resample, so that p is never 0.
    sides = [(np.count_nonzero(side) + 1) / (len(gains) + 1) for side in (gains <= 0, gains >= 0)]
    return Difference(values[1] - values[0], interval(gains), min(1.0, 2 * min(sides)))


def _draw_counts(units: int, seed: int) -> Iterator[Floats]:
    """Draw how often each unit occurs in each resample, in blocks (b, units) that fit in memory."""
    rng = np.random.default_rng(seed)
    portion = max(1, CELLS // units)
    for start in range(0, REPLICATES, portion):
        size = min(portion, REPLICATES - start)
        # The numbers of each resample are shifted by `units`, so that one bincount counts all.
        drawn = rng.integers(0, units, (size, units)) + units * np.arange(size)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=size * units)
        yield counts.reshape(size, units).astype(np.float64)
