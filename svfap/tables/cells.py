"""What the tables of results share: rows, columns, cells, footnotes.

Datasets with the same columns share a table. Classification has one column per metric; regression
one row per metric and one column per regressed value, as in the paper.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from svfap.evaluation.bootstrap import Interval
from svfap.tables.render import Table, superscript
from svfap.tables.results import OURS, THIS_RUN, Result

MISSING = "\N{EN DASH}"
NOT_RUN = "not run"


def by_dataset(results: Iterable[Result]) -> dict[str, list[Result]]:
    """Dataset -> its results."""
    found: dict[str, list[Result]] = {}
    for result in results:
        found.setdefault(result.dataset, []).append(result)
    return found


def alike(results: Iterable[Result]) -> dict[tuple[str, ...], dict[str, list[Result]]]:
    """Columns -> the datasets that have them -> their results."""
    tables: dict[tuple[str, ...], dict[str, list[Result]]] = {}
    for dataset, found in by_dataset(results).items():
        tables.setdefault(columns_of(found), {})[dataset] = found
    return tables


def columns_of(results: Iterable[Result]) -> tuple[str, ...]:
    """Metrics in classification; "Metric" and the targets in regression."""
    ours = [result for result in results if result.model == OURS]
    targets = tuple(dict.fromkeys(result.target for result in ours))
    metrics = tuple(dict.fromkeys(result.metric for result in ours))
    return metrics if targets == ("",) else ("Metric", *targets)


def lines(
    results: Iterable[Result], columns: tuple[str, ...], by: str, *, spread: bool = True
) -> Iterator[tuple[str, Result, tuple[str, ...]]]:
    """(name, one of its results, cells of the columns) for each value of the attribute `by`."""
    grouped: dict[tuple[str, str], list[Result]] = {}
    long = columns[0] == "Metric"
    for result in results:
        metric = result.metric if long else ""
        grouped.setdefault((metric, getattr(result, by)), []).append(result)
    metrics = list(dict.fromkeys(metric for metric, _ in grouped))
    for (metric, name), found in sorted(
        grouped.items(), key=lambda item: metrics.index(item[0][0])
    ):
        cells = {result.target if long else result.metric: result for result in found}
        shown = [show(cells.get(column), spread) for column in columns if column != "Metric"]
        yield name, found[0], (*([metric] if long else []), *shown)


def show(result: Result | None, spread: bool) -> str:
    """A cell: the value, and if asked for its spread over folds and its interval."""
    if result is None or math.isnan(result.value):
        return NOT_RUN if result and result.source == THIS_RUN and not result.clips else MISSING
    shown = f"{result.value:.{result.decimals}f}"
    spreads = [x for x in (result.fold_std, result.seed_std) if spread and not math.isnan(x)]
    shown += "".join(f" ± {deviation:.{result.decimals}f}" for deviation in spreads)
    return shown + (brackets(result.interval, result.decimals - 1) if spread else "")


def brackets(interval: Interval, decimals: int) -> str:
    """An interval behind its value; nothing where it is undefined."""
    if math.isnan(interval.low):
        return ""
    return f" [{interval.low:.{decimals}f}, {interval.high:.{decimals}f}]"


def number(value: float) -> str:
    """Six digits for a CSV; empty where undefined."""
    return "" if math.isnan(value) else f"{value:.6g}"


def marks_of(datasets: Iterable[str], notices: Mapping[str, str]) -> dict[str, str]:
    """Dataset -> the mark of its footnote; equal notices share one."""
    distinct = list(dict.fromkeys(notices[name] for name in datasets if notices.get(name)))
    numbers = {notice: f" {superscript(n)}" for n, notice in enumerate(distinct, 1)}
    return {name: numbers[notices[name]] for name in datasets if notices.get(name)}


def footnotes(marks: Mapping[str, str], notices: Mapping[str, str]) -> list[str]:
    """The sentences that the marks stand for."""
    notes = {mark.strip(): notices[dataset] for dataset, mark in marks.items()}
    return [f"{mark} {notice}" for mark, notice in notes.items()]


def table(
    datasets: Mapping[str, Sequence[Result]],
    before: tuple[str, ...],
    rows: Sequence[tuple[str, ...]],
    after: tuple[str, ...],
    notes: tuple[str, ...],
) -> Table:
    """A table of datasets that have the same columns, between other columns."""
    columns = columns_of(next(iter(datasets.values())))
    long = columns[0] == "Metric"
    task = f"Regression: {', '.join(datasets)}"
    title = task if long else f"Classification: {', '.join(columns)} in per cent"
    align = "".join("r" if name == "Clips" else "l" for name in before)
    align += "l" * long + "r" * (len(columns) - long) + "l" * len(after)
    return Table(title, (*before, *columns, *after), tuple(rows), align, notes)
