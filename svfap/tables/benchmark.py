"""The benchmark: our results beside the paper's, and fold by fold, as tables to be shown.

Datasets with the same columns share a table. Classification has one column per metric; regression
one row per metric and one column per regressed value, as in the paper.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from svfap.tables.paper import results_for
from svfap.tables.render import Table, superscript
from svfap.tables.results import OURS, Result

MISSING = "\N{EN DASH}"
_POOLED_NOTE = (
    "Figures of this run are computed once on the predictions of all folds together, as in the"
    " paper; ± is the sample standard deviation over folds, and brackets hold the 95 % bootstrap"
    " interval"
)
_FOLDS_NOTE = (
    "mean ± std is taken over folds (sample standard deviation); pooled is one figure of the"
    " predictions of all folds together, the one in the benchmark."
)


def beside_paper(measured: Iterable[Result]) -> list[Result]:
    """Our pooled results, each dataset's followed by the published ones of the same metrics."""
    together: list[Result] = []
    for dataset, ours in _by_dataset(r for r in measured if not r.fold).items():
        metrics = {result.metric for result in ours}
        together += ours
        together += [result for result in results_for(dataset) if result.metric in metrics]
    return together


def benchmark_tables(results: Sequence[Result], notices: Mapping[str, str]) -> list[Table]:
    """Tables of one row per dataset and model, from `beside_paper`.

    Args:
        results: ours and the paper's, pooled over folds.
        notices: dataset -> sentence that must stand below its results, or "".
    """
    tables = []
    for datasets in _alike(results).values():
        rows: list[tuple[str, ...]] = []
        marks = _marks(datasets, notices)
        for dataset, found in datasets.items():
            published = any(result.model != OURS for result in found)
            for model, lead, cells in _lines(found, _columns(found), "model"):
                source = lead.source
                if model == OURS and not published:
                    source += "; not in the paper"
                names = (dataset + marks.get(dataset, ""), model)
                rows.append((*names, *cells, lead.folds or MISSING, source))
        tables.append(
            _table(
                datasets,
                ("Dataset", "Model"),
                rows,
                ("Folds", "Source"),
                (_pooled_note(datasets), *_footnotes(marks, notices)),
            )
        )
    return tables


def fold_tables(measured: Sequence[Result], notices: Mapping[str, str]) -> list[Table]:
    """Tables of one row per dataset and fold, then the mean over folds and the pooled figure."""
    tables = []
    for datasets in _alike(measured).values():
        rows: list[tuple[str, ...]] = []
        marks = _marks(datasets, notices)
        for dataset, found in datasets.items():
            pooled = [result for result in found if not result.fold]
            single = [result for result in found if result.fold]
            columns = _columns(found)
            lines = [
                *_lines(single, columns, "fold"),
                *_mean_lines(pooled, columns),
                *(
                    ("pooled", lead, cells)
                    for _, lead, cells in _lines(pooled, columns, "fold", spread=False)
                ),
            ]
            label = dataset + marks.get(dataset, "")
            rows += [(label, fold, f"{lead.clips:,}", *cells) for fold, lead, cells in lines]
        tables.append(
            _table(
                datasets,
                ("Dataset", "Fold", "Clips"),
                rows,
                (),
                (_FOLDS_NOTE, *_footnotes(marks, notices)),
            )
        )
    return tables


def tidy(results: Iterable[Result], notices: Mapping[str, str]) -> Iterator[dict[str, object]]:
    """Results as rows of a CSV whose first columns are those of `paper_results.csv`."""
    for result in results:
        yield {
            "dataset": result.dataset,
            "model": result.model,
            "target": result.target,
            "metric": result.metric,
            "value": _number(result.value),
            "unit": result.unit,
            "source": result.source,
            "fold_mean": _number(result.fold_mean),
            "fold_std": _number(result.fold_std),
            "low": _number(result.interval.low),
            "high": _number(result.interval.high),
            "resampled": result.resampled,
            "folds": result.folds,
            "clips": result.clips or "",
            "notice": notices.get(result.dataset, "") if result.model == OURS else "",
        }


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
                "value": _number(value),
                "unit": result.unit,
                "clips": result.clips,
                "notice": notices.get(result.dataset, ""),
            }


def _pooled_note(datasets: Mapping[str, Sequence[Result]]) -> str:
    """How our figures are made, and what each dataset's bootstrap draws."""
    drawn = {
        f"{dataset}: {result.resampled}"
        for dataset, found in datasets.items()
        for result in found
        if result.resampled
    }
    return _POOLED_NOTE + (
        f" over what is independent ({', '.join(sorted(drawn))})." if drawn else "."
    )


def _by_dataset(results: Iterable[Result]) -> dict[str, list[Result]]:
    found: dict[str, list[Result]] = {}
    for result in results:
        found.setdefault(result.dataset, []).append(result)
    return found


def _alike(results: Iterable[Result]) -> dict[tuple[str, ...], dict[str, list[Result]]]:
    """Columns -> the datasets that have them -> their results."""
    tables: dict[tuple[str, ...], dict[str, list[Result]]] = {}
    for dataset, found in _by_dataset(results).items():
        tables.setdefault(_columns(found), {})[dataset] = found
    return tables


def _columns(results: Iterable[Result]) -> tuple[str, ...]:
    """Metrics in classification; "Metric" and the targets in regression."""
    ours = [result for result in results if result.model == OURS]
    targets = tuple(dict.fromkeys(result.target for result in ours))
    metrics = tuple(dict.fromkeys(result.metric for result in ours))
    return metrics if targets == ("",) else ("Metric", *targets)


def _lines(
    results: Iterable[Result], columns: tuple[str, ...], by: str, *, spread: bool = True
) -> Iterator[tuple[str, Result, tuple[str, ...]]]:
    """(name, one of its results, cells of the columns) for each value of the attribute `by`."""
    lines: dict[tuple[str, str], list[Result]] = {}
    long = columns[0] == "Metric"
    for result in results:
        metric = result.metric if long else ""
        lines.setdefault((metric, getattr(result, by)), []).append(result)
    metrics = list(dict.fromkeys(metric for metric, _ in lines))
    for (metric, name), found in sorted(lines.items(), key=lambda item: metrics.index(item[0][0])):
        cells = {result.target if long else result.metric: result for result in found}
        shown = [_show(cells.get(column), spread) for column in columns if column != "Metric"]
        yield name, found[0], (*([metric] if long else []), *shown)


def _mean_lines(
    pooled: Iterable[Result], columns: tuple[str, ...]
) -> Iterator[tuple[str, Result, tuple[str, ...]]]:
    means = [_mean_of(result) for result in pooled if not math.isnan(result.fold_std)]
    for _, lead, cells in _lines(means, columns, "fold"):
        yield "mean ± std", lead, cells


def _mean_of(result: Result) -> Result:
    names = (result.dataset, result.model, result.metric, result.target)
    return Result(
        *names, result.fold_mean, result.source, clips=result.clips, fold_std=result.fold_std
    )


def _show(result: Result | None, spread: bool) -> str:
    if result is None or math.isnan(result.value):
        return MISSING
    shown = f"{result.value:.{result.decimals}f}"
    if spread and not math.isnan(result.fold_std):
        shown += f" ± {result.fold_std:.{result.decimals}f}"
    if spread and not math.isnan(result.interval.low):
        low, high = (
            f"{x:.{result.decimals - 1}f}" for x in (result.interval.low, result.interval.high)
        )
        shown += f" [{low}, {high}]"
    return shown


def _number(value: float) -> str:
    """Six digits for a CSV; empty where undefined."""
    return "" if math.isnan(value) else f"{value:.6g}"


def _marks(datasets: Iterable[str], notices: Mapping[str, str]) -> dict[str, str]:
    """Dataset -> the mark of its footnote; equal notices share one."""
    distinct = list(dict.fromkeys(notices[name] for name in datasets if notices.get(name)))
    numbers = {notice: f" {superscript(n)}" for n, notice in enumerate(distinct, 1)}
    return {name: numbers[notices[name]] for name in datasets if notices.get(name)}


def _footnotes(marks: Mapping[str, str], notices: Mapping[str, str]) -> list[str]:
    notes = {mark.strip(): notices[dataset] for dataset, mark in marks.items()}
    return [f"{mark} {notice}" for mark, notice in notes.items()]


def _table(
    datasets: Mapping[str, Sequence[Result]],
    before: tuple[str, ...],
    rows: Sequence[tuple[str, ...]],
    after: tuple[str, ...],
    notes: tuple[str, ...],
) -> Table:
    columns = _columns(next(iter(datasets.values())))
    long = columns[0] == "Metric"
    task = f"Regression: {', '.join(datasets)}"
    title = task if long else f"Classification: {', '.join(columns)} in per cent"
    align = "".join("r" if name == "Clips" else "l" for name in before)
    align += "l" * long + "r" * (len(columns) - long) + "l" * len(after)
    return Table(title, (*before, *columns, *after), tuple(rows), align, notes)
