"""Our results fold by fold, with the mean over folds and the result of all folds pooled."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from svfap.tables.cells import (
    ResultRow,
    by_columns,
    columns_of,
    csv_number,
    footnote_marks,
    footnotes,
    result_rows,
    results_table,
)
from svfap.tables.render import Table
from svfap.tables.results import OURS, Result

_FOLDS_NOTE = (
    "mean ± std is taken over folds (sample standard deviation); pooled is one figure of the"
    " predictions of all folds together, the one in the benchmark."
)


def fold_tables(results: Sequence[Result], notices: Mapping[str, str]) -> list[Table]:
    """Return tables with a row per dataset and fold, the mean over folds and the pooled result.

    Args:
        results: results of `measure`, of our model and possibly of the classical baseline.
        notices: dataset -> sentence that must accompany its results, or "".
    """
    tables = []
    for by_dataset in by_columns(results).values():
        rows: list[tuple[str, ...]] = []
        marks = footnote_marks(by_dataset, notices)
        for dataset, model in _models(by_dataset):
            columns = columns_of(by_dataset[dataset])
            own = [result for result in by_dataset[dataset] if result.model == model]
            pooled = [result for result in own if not result.fold]
            single = [result for result in own if result.fold]
            # Single folds come first, then their summaries.
            of_dataset = [
                *result_rows(single, columns, "fold"),
                *_rename("mean ± std", result_rows(_means(pooled), columns, "fold")),
                *_rename("pooled", result_rows(pooled, columns, "fold", spread=False)),
            ]
            label = dataset + marks.get(dataset, "") + ("" if model == OURS else f", {model}")
            rows += [(label, row.name, f"{row.result.clips:,}", *row.cells) for row in of_dataset]
        tables.append(
            results_table(
                by_dataset,
                ("Dataset", "Fold", "Clips"),
                rows,
                (),
                (_FOLDS_NOTE, *footnotes(marks, notices)),
            )
        )
    return tables


def _models(by_dataset: Mapping[str, Sequence[Result]]) -> list[tuple[str, str]]:
    """Return each dataset with each of its models."""
    found = ((r.dataset, r.model) for results in by_dataset.values() for r in results)
    return list(dict.fromkeys(found))


def fold_rows(results: Iterable[Result], notices: Mapping[str, str]) -> Iterator[dict[str, object]]:
    """Yield results as rows of a CSV; `fold` is a fold's name, mean, std or pooled."""
    # Single folds come first: `sorted` keeps the order of results with equal keys.
    for result in sorted(results, key=lambda result: not result.fold):
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
                "model": result.model,
            }


def _rename(name: str, rows: Iterable[ResultRow]) -> list[ResultRow]:
    return [row._replace(name=name) for row in rows]


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
