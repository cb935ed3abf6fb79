"""Our results fold by fold, with the mean over folds and the result of all folds pooled."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from svfap.tables.cells import (
    Line,
    by_columns,
    columns_of,
    csv_number,
    footnote_marks,
    footnotes,
    lines,
    results_table,
)
from svfap.tables.render import Table
from svfap.tables.results import Result

_FOLDS_NOTE = (
    "mean ± std is taken over folds (sample standard deviation); pooled is one figure of the"
    " predictions of all folds together, the one in the benchmark."
)


def fold_tables(measured: Sequence[Result], notices: Mapping[str, str]) -> list[Table]:
    """Return tables with a row per dataset and fold, the mean over folds and the pooled result.

    Args:
        measured: results of `measure`.
        notices: dataset -> sentence that must accompany its results, or "".
    """
    tables = []
    for datasets in by_columns(measured).values():
        rows: list[tuple[str, ...]] = []
        marks = footnote_marks(datasets, notices)
        for dataset, found in datasets.items():
            pooled = [result for result in found if not result.fold]
            single = [result for result in found if result.fold]
            columns = columns_of(found)
            shown = [
                *lines(single, columns, "fold"),
                *_rename("mean ± std", lines(_means(pooled), columns, "fold")),
                *_rename("pooled", lines(pooled, columns, "fold", spread=False)),
            ]
            label = dataset + marks.get(dataset, "")
            rows += [(label, line.name, f"{line.result.clips:,}", *line.cells) for line in shown]
        tables.append(
            results_table(
                datasets,
                ("Dataset", "Fold", "Clips"),
                rows,
                (),
                (_FOLDS_NOTE, *footnotes(marks, notices)),
            )
        )
    return tables


def fold_rows(
    measured: Iterable[Result], notices: Mapping[str, str]
) -> Iterator[dict[str, object]]:
    """Yield our results as rows of a CSV; `fold` is a fold's name, mean, std or pooled."""
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
                "value": csv_number(value),
                "unit": result.unit,
                "clips": result.clips,
                "notice": notices.get(result.dataset, ""),
            }


def _rename(name: str, rows: Iterable[Line]) -> list[Line]:
    return [line._replace(name=name) for line in rows]


def _means(pooled: Iterable[Result]) -> list[Result]:
    """Return the means over folds, with their deviations, of results on at least two folds."""
    return [
        Result(
            result.dataset,
            result.model,
            result.metric,
            result.target,
            result.fold_mean,
            result.source,
            clips=result.clips,
            fold_std=result.fold_std,
        )
        for result in pooled
        if not math.isnan(result.fold_std)
    ]
