"""Our results fold by fold, their mean, and the figure of all folds pooled."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from svfap.tables.cells import alike, columns_of, footnotes, lines, marks_of, number, table
from svfap.tables.render import Table
from svfap.tables.results import Result

_FOLDS_NOTE = (
    "mean ± std is taken over folds (sample standard deviation); pooled is one figure of the"
    " predictions of all folds together, the one in the benchmark."
)


def fold_tables(measured: Sequence[Result], notices: Mapping[str, str]) -> list[Table]:
    """Tables of one row per dataset and fold, then the mean over folds and the pooled figure."""
    tables = []
    for datasets in alike(measured).values():
        rows: list[tuple[str, ...]] = []
        marks = marks_of(datasets, notices)
        for dataset, found in datasets.items():
            pooled = [result for result in found if not result.fold]
            single = [result for result in found if result.fold]
            columns = columns_of(found)
            shown = [
                *lines(single, columns, "fold"),
                *_mean_lines(pooled, columns),
                *(
                    ("pooled", lead, cells)
                    for _, lead, cells in lines(pooled, columns, "fold", spread=False)
                ),
            ]
            label = dataset + marks.get(dataset, "")
            rows += [(label, fold, f"{lead.clips:,}", *cells) for fold, lead, cells in shown]
        tables.append(
            table(
                datasets,
                ("Dataset", "Fold", "Clips"),
                rows,
                (),
                (_FOLDS_NOTE, *footnotes(marks, notices)),
            )
        )
    return tables


def tidy_folds(
    measured: Iterable[Result], notices: Mapping[str, str]
) -> Iterator[dict[str, object]]:
    """Our results as rows of a CSV, `fold` being a fold's name, mean, std or pooled."""
    for result in sorted(measured, key=lambda result: not result.fold):
        values = {result.fold: result.value}
        if not result.fold:
            values = {"mean": result.fold_mean, "std": result.fold_std, "pooled": result.value}
        for fold, value in values.items():
            yield {
                "dataset": result.dataset,
                "fold": fold,
                "target": result.target,
                "metric": result.metric,
                "value": number(value),
                "unit": result.unit,
                "clips": result.clips,
                "notice": notices.get(result.dataset, ""),
            }


def _mean_lines(
    pooled: Iterable[Result], columns: tuple[str, ...]
) -> Iterator[tuple[str, Result, tuple[str, ...]]]:
    means = [_mean_of(result) for result in pooled if not math.isnan(result.fold_std)]
    for _, lead, cells in lines(means, columns, "fold"):
        yield "mean ± std", lead, cells


def _mean_of(result: Result) -> Result:
    names = (result.dataset, result.model, result.metric, result.target)
    return Result(
        *names, result.fold_mean, result.source, clips=result.clips, fold_std=result.fold_std
    )
