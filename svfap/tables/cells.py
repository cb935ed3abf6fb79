"""Rows, columns, cells and footnotes that the tables of results share.

Datasets with the same columns share a table. Classification has one column per metric; regression
has one row per metric and one column per regressed value, as in the paper.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from svfap.evaluation.bootstrap import Interval
from svfap.tables.render import Table, superscript
from svfap.tables.results import OURS, THIS_RUN, Result

MISSING = "\N{EN DASH}"
NOT_RUN = "not run"
METRIC = "Metric"  # header of a column that only regression has


class ResultRow(NamedTuple):
    """A row of a table of results, still without the columns before and after the results.

    Attributes:
        name: the model or fold that the row is about.
        result: one of its results; all its results have equal source, folds and clips.
        cells: texts of the columns that `columns_of` returns.
    """

    name: str
    result: Result
    cells: tuple[str, ...]


def by_dataset(results: Iterable[Result]) -> dict[str, list[Result]]:
    """Return dataset -> its results."""
    found: dict[str, list[Result]] = {}
    for result in results:
        found.setdefault(result.dataset, []).append(result)
    return found


def by_columns(results: Iterable[Result]) -> dict[tuple[str, ...], dict[str, list[Result]]]:
    """Return columns -> the datasets with these columns -> their results."""
    tables: dict[tuple[str, ...], dict[str, list[Result]]] = {}
    for dataset, found in by_dataset(results).items():
        tables.setdefault(columns_of(found), {})[dataset] = found
    return tables


def columns_of(results: Iterable[Result]) -> tuple[str, ...]:
    """Return the metrics for classification; "Metric" and the targets for regression."""
    ours = [result for result in results if result.model == OURS]
    targets = tuple(dict.fromkeys(result.target for result in ours))
    metrics = tuple(dict.fromkeys(result.metric for result in ours))
    return metrics if targets == ("",) else (METRIC, *targets)


def result_rows(
    results: Iterable[Result], columns: tuple[str, ...], by: str, *, spread: bool = True
) -> Iterator[ResultRow]:
    """Yield a row for each value of the attribute `by`.

    In regression, yield such rows for each metric.

    Args:
        results: results of one dataset.
        columns: the columns from `columns_of`.
        by: the attribute of `Result` that names the rows: "model" or "fold".
        spread: whether to show the spread over folds and the interval after each value.
    """
    grouped: dict[tuple[str, str], list[Result]] = {}
    regression = columns[0] == METRIC
    for result in results:
        metric = result.metric if regression else ""
        grouped.setdefault((metric, getattr(result, by)), []).append(result)
    metrics = list(dict.fromkeys(metric for metric, _ in grouped))
    for (metric, name), found in sorted(
        grouped.items(), key=lambda item: metrics.index(item[0][0])
    ):
        by_column = {result.target if regression else result.metric: result for result in found}
        cells = [result_text(by_column.get(c), spread) for c in columns if c != METRIC]
        yield ResultRow(name, found[0], (*([metric] if regression else []), *cells))


def result_text(result: Result | None, spread: bool) -> str:
    """Return the text of a cell: the value, and with `spread` its deviation and interval."""
    if result is None or math.isnan(result.value):
        return NOT_RUN if result and result.source == THIS_RUN and not result.clips else MISSING
    text = f"{result.value:.{result.decimals}f}"
    deviations = [x for x in (result.fold_std, result.seed_std) if spread and not math.isnan(x)]
    text += "".join(f" ± {deviation:.{result.decimals}f}" for deviation in deviations)
    return text + (interval_text(result.interval, result.decimals - 1) if spread else "")


def interval_text(interval: Interval, decimals: int) -> str:
    """Return an interval as " [low, high]"; empty if it is undefined."""
    if math.isnan(interval.low):
        return ""
    return f" [{interval.low:.{decimals}f}, {interval.high:.{decimals}f}]"


def csv_number(value: float) -> str:
    """Return a value with six digits for a CSV; empty if it is undefined."""
    return "" if math.isnan(value) else f"{value:.6g}"


def footnote_marks(datasets: Iterable[str], notices: Mapping[str, str]) -> dict[str, str]:
    """Return dataset -> the mark of its footnote. Equal notices share a mark."""
    distinct = list(dict.fromkeys(notices[name] for name in datasets if notices.get(name)))
    numbers = {notice: f" {superscript(n)}" for n, notice in enumerate(distinct, 1)}
    return {name: numbers[notices[name]] for name in datasets if notices.get(name)}


def footnotes(marks: Mapping[str, str], notices: Mapping[str, str]) -> list[str]:
    """Return the footnote of each mark."""
    notes = {mark.strip(): notices[dataset] for dataset, mark in marks.items()}
    return [f"{mark} {notice}" for mark, notice in notes.items()]


def results_table(
    datasets: Mapping[str, Sequence[Result]],
    before: tuple[str, ...],
    rows: Sequence[tuple[str, ...]],
    after: tuple[str, ...],
    notes: tuple[str, ...],
) -> Table:
    """Return a table of datasets that have the same columns.

    Args:
        datasets: dataset -> its results.
        before: headers of the columns before the results, such as "Dataset".
        rows: all cells of each row.
        after: headers of the columns after the results, such as "Source".
        notes: sentences below the table.
    """
    columns = columns_of(next(iter(datasets.values())))
    regression = columns[0] == METRIC
    if regression:
        title = f"Regression: {', '.join(datasets)}"
    else:
        title = f"Classification: {', '.join(columns)} in per cent"
    align = "".join("r" if name == "Clips" else "l" for name in before)
    align += "l" * regression + "r" * (len(columns) - regression) + "l" * len(after)
    return Table(title, (*before, *columns, *after), tuple(rows), align, notes)
