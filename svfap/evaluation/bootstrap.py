"""How far a figure might be off: 95 % intervals by resampling people, not clips.

Clips of one person are alike, so that intervals over clips would be too narrow: whole subjects are
drawn with replacement. Where subjects are unknown, units that are scored are drawn instead. Each
metric is a function of sums over clips (`svfap.evaluation.metrics`), so a resample is a row of
counts, and all resamples are one matrix product.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from svfap.evaluation.metrics import METRICS, Counts, Floats

REPLICATES = 2000
LEVEL = 0.95
CELLS = 4_000_000


@dataclass(frozen=True)
class Units:
    """What is resampled: subjects, or clips where these are unknown.

    Attributes:
        codes: number of the unit of each row, (n,).
        count: number of units.
        noun: what they are, for tables.
    """

    codes: Counts
    count: int
    noun: str

    def __str__(self) -> str:
        return f"{self.count:,} {self.noun}"


@dataclass(frozen=True)
class Interval:
    """A percentile interval of one figure; nan where the figure is undefined."""

    low: float
    high: float


UNDEFINED = Interval(float("nan"), float("nan"))


@dataclass(frozen=True)
class Difference:
    """What a second run adds to a figure of the first, measured on the same units.

    Attributes:
        value: second minus first.
        interval: of the difference.
        p: two-sided share of resamples on the other side of zero; small is significant.
    """

    value: float
    interval: Interval
    p: float


def units_of(groups: pd.DataFrame) -> Units:
    """The units to resample of rows of `predictions.by_group`."""
    subjects = groups["subject"].to_numpy(dtype=str)
    known = bool(len(subjects)) and bool((subjects != "").all())
    names = subjects if known else groups["group"].to_numpy(dtype=str)
    found, codes = np.unique(names, return_inverse=True)
    return Units(codes, len(found), "subjects" if known else "clips")


def replicates(groups: pd.DataFrame, metric: str, *, units: Units, seed: int = 0) -> Floats:
    """A figure of `REPLICATES` resamples, (REPLICATES, d), as a fraction.

    The same units and seed give the same resamples, whatever the metric and the run.

    Args:
        groups: rows of `predictions.by_group` of one dataset.
        metric: name in `svfap.evaluation.metrics.METRICS`.
        units: what is resampled, in the rows of `groups`.
        seed: of the resampling.
    """
    targets, scores = (
        np.stack(groups[column].to_list()).astype(np.float64) for column in ("target", "score")
    )
    chosen = METRICS[metric]
    per_clip = chosen.per_clip(targets, scores)
    sums = np.zeros((units.count, *per_clip.shape[1:]))
    np.add.at(sums, units.codes, per_clip)
    flat = sums.reshape(units.count, -1)
    figures = [
        chosen.of_sums((counts @ flat).reshape(-1, *sums.shape[1:]))
        for counts in _counts(units.count, seed)
    ]
    return np.concatenate(figures).reshape(REPLICATES, -1)


def interval(figures: Floats) -> Interval:
    """The middle 95 % of resampled figures (REPLICATES,); undefined ones are left out."""
    defined = figures[~np.isnan(figures)]
    if not defined.size:
        return UNDEFINED
    low, high = np.quantile(defined, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return Interval(float(low), float(high))


def paired(first: pd.DataFrame, second: pd.DataFrame, metric: str, *, seed: int = 0) -> Difference:
    """Compare two runs on the units that both of them have scored.

    Args:
        first: rows of `predictions.by_group` of one dataset.
        second: those of another run on the same dataset.
        metric: name in `svfap.evaluation.metrics.METRICS`; several targets are averaged.
        seed: of the resampling.

    Returns:
        The difference, as a fraction; nan if the runs share no unit.
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
    sides = [(np.count_nonzero(side) + 1) / (len(gains) + 1) for side in (gains <= 0, gains >= 0)]
    return Difference(values[1] - values[0], interval(gains), min(1.0, 2 * min(sides)))


def _counts(units: int, seed: int) -> Iterator[Floats]:
    """How often each unit is drawn in each resample, in portions (b, units) that fit in memory."""
    rng = np.random.default_rng(seed)
    portion = max(1, CELLS // units)
    for start in range(0, REPLICATES, portion):
        size = min(portion, REPLICATES - start)
        drawn = rng.integers(0, units, (size, units)) + units * np.arange(size)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=size * units)
        yield counts.reshape(size, units).astype(np.float64)
