"""The benchmark: our results beside the paper's and later ones, as tables to be shown."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from svfap.tables.cells import (
    MISSING,
    alike,
    by_dataset,
    columns_of,
    footnotes,
    lines,
    marks_of,
    number,
    table,
)
from svfap.tables.paper import notes_on, results_for
from svfap.tables.render import Table
from svfap.tables.results import THIS_RUN, Result

_POOLED_NOTE = (
    "Figures of this run are computed once on the predictions of all folds together, as in the"
    " paper; ± is the sample standard deviation over folds, or over seeds where the row says so;"
    " brackets hold the 95 % bootstrap interval"
)


def beside_paper(measured: Iterable[Result], seeds: Iterable[Result] = ()) -> list[Result]:
    """Our pooled results, each dataset's followed by the published ones of the same metrics."""
    together: list[Result] = []
    repeated = by_dataset(seeds)
    for dataset, ours in by_dataset(r for r in measured if not r.fold).items():
        metrics = {result.metric for result in ours}
        together += [*ours, *repeated.get(dataset, ())]
        together += [result for result in results_for(dataset) if result.metric in metrics]
    return together


def benchmark_tables(results: Sequence[Result], notices: Mapping[str, str]) -> list[Table]:
    """Tables of one row per dataset and model, from `beside_paper`.

    Args:
        results: ours and the paper's, pooled over folds.
        notices: dataset -> sentence that must stand below its results, or "".
    """
    tables = []
    for datasets in alike(results).values():
        rows: list[tuple[str, ...]] = []
        marks = marks_of(datasets, notices)
        for dataset, found in datasets.items():
            published = any(result.source != THIS_RUN for result in found)
            for model, lead, cells in lines(found, columns_of(found), "model"):
                source = lead.source
                if lead.source == THIS_RUN and not published:
                    source += "; not in the paper"
                names = (dataset + marks.get(dataset, ""), model)
                rows.append((*names, *cells, lead.folds or MISSING, source))
        tables.append(
            table(
                datasets,
                ("Dataset", "Model"),
                rows,
                ("Folds", "Source"),
                (_pooled_note(datasets), *footnotes(marks, notices), *notes_on(*datasets)),
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
            "value": number(result.value),
            "unit": result.unit,
            "source": result.source,
            "fold_mean": number(result.fold_mean),
            "fold_std": number(result.fold_std),
            "seed_std": number(result.seed_std),
            "low": number(result.interval.low),
            "high": number(result.interval.high),
            "resampled": result.resampled,
            "folds": result.folds,
            "clips": result.clips or "",
            "notice": notices.get(result.dataset, "") if result.source == THIS_RUN else "",
        }


def _pooled_note(datasets: Mapping[str, Sequence[Result]]) -> str:
    """How our figures are made, and what each dataset's bootstrap draws."""
    drawn = {
        f"{dataset}: {result.resampled}"
        for dataset, found in datasets.items()
        for result in found
        if result.resampled
    }
    return _POOLED_NOTE + (f" over subjects ({', '.join(sorted(drawn))})." if drawn else ".")
