"""The mean and spread over runs that differ only in their seed."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace

from svfap.evaluation import bootstrap
from svfap.tables.results import Result


def over_seeds(runs: Mapping[str, Sequence[Result]], seeds: Sequence[str]) -> list[Result]:
    """Return mean and sample standard deviation over seeds of each pooled result.

    Args:
        runs: run -> its results; the main run's name is empty.
        seeds: the runs that repeat the main run with another seed.

    Returns:
        One result per metric and target that at least two seeds have on the same folds and clips.
    """
    found = []
    for main in (result for result in runs[""] if not result.fold and result.clips):
        same = [main] + [
            other
            for name in seeds
            for other in runs.get(name, ())
            if not other.fold and _comparable(other) == _comparable(main)
        ]
        values = [result.value for result in same]
        if len(values) > 1 and not any(map(math.isnan, values)):
            found.append(
                replace(
                    main,
                    model=f"{main.model}, mean of {len(values)} seeds",
                    value=statistics.fmean(values),
                    fold_mean=math.nan,
                    fold_std=math.nan,
                    seed_std=statistics.stdev(values),
                    interval=bootstrap.UNDEFINED,
                    resampled="",
                )
            )
    return found


def _comparable(result: Result) -> tuple[object, ...]:
    """Return the values that must be equal in two results for an average."""
    return result.dataset, result.metric, result.target, result.folds, result.clips
