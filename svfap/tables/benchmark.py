"""The benchmark: our results beside published ones, as tables and as rows of a CSV."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from svfap.tables.cells import (
    MISSING,
    by_columns,
    by_dataset,
    columns_of,
    csv_number,
    footnote_marks,
    footnotes,
    interval_text,
    result_rows,
    results_table,
)
from svfap.tables.paper import notes_on, results_for
from svfap.tables.references import CHANCE, NOTE
from svfap.tables.render import Table
from svfap.tables.results import THIS_RUN, Result

_POOLED_NOTE = (
    "Figures of this run are computed once on the predictions of all folds together, as in the"
    " paper; ± is the sample standard deviation over folds, or over seeds where the row says so;"
    " brackets hold the 95 % bootstrap interval"
)


def beside_paper(
    measured: Iterable[Result], seeds: Iterable[Result] = (), references: Iterable[Result] = ()
) -> list[Result]:
    """Return our pooled results; published ones for the same metrics follow those on each dataset.

    Args:
        measured: results of the main run.
        seeds: results averaged over seeds.
        references: results of chance and of the classical baseline.
    """
    together: list[Result] = []
    repeated = by_dataset(seeds)
    compared = by_dataset(result for result in references if not result.fold)
    for dataset, ours in by_dataset(r for r in measured if not r.fold).items():
        metrics = {result.metric for result in ours}
        together += [*ours, *repeated.get(dataset, ()), *compared.get(dataset, ())]
        together += [result for result in results_for(dataset) if result.metric in metrics]
    return together


def benchmark_tables(results: Sequence[Result], notices: Mapping[str, str]) -> list[Table]:
    """Return tables with one row per dataset and model.

    Args:
        results: results that `beside_paper` returns.
        notices: dataset -> sentence that must accompany its results, or "".
    """
    tables = []
    for datasets in by_columns(results).values():
        rows: list[tuple[str, ...]] = []
        marks = footnote_marks(datasets, notices)
        for dataset, found in datasets.items():
            published = any(result.source != THIS_RUN for result in found)
            for row in result_rows(found, columns_of(found), "model"):
                source = row.result.source
                if source == THIS_RUN and not published:
                    source += "; not in the paper"
                names = (dataset + marks.get(dataset, ""), row.name)
                rows.append((*names, *row.cells, row.result.folds or MISSING, source))
        tables.append(
            results_table(
                datasets,
                ("Dataset", "Model"),
                rows,
                ("Folds", "Source"),
                (
                    _pooled_note(datasets),
                    *_reference_notes(datasets),
                    *footnotes(marks, notices),
                    *notes_on(*datasets),
                ),
            )
        )
    return tables


def benchmark_rows(
    results: Iterable[Result], notices: Mapping[str, str]
) -> Iterator[dict[str, object]]:
    """Yield results as rows of a CSV that extends the columns of `paper_results.csv`."""
    for result in results:
        yield {
            "dataset": result.dataset,
            "model": result.model,
            "target": result.target,
            "metric": result.metric,
            "value": csv_number(result.value),
            "unit": result.unit,
            "source": result.source,
            "fold_mean": csv_number(result.fold_mean),
            "fold_std": csv_number(result.fold_std),
            "seed_std": csv_number(result.seed_std),
            "low": csv_number(result.interval.low),
            "high": csv_number(result.interval.high),
            "resampled": result.resampled,
            "folds": result.folds,
            "clips": result.clips or "",
            "notice": notices.get(result.dataset, "") if result.source == THIS_RUN else "",
            "lead": csv_number(result.lead.value) if result.lead else "",
            "lead_low": csv_number(result.lead.interval.low) if result.lead else "",
            "lead_high": csv_number(result.lead.interval.high) if result.lead else "",
        }


def _reference_notes(datasets: Mapping[str, Sequence[Result]]) -> list[str]:
    """Return what chance and the baseline are, and how far ours is ahead of the baseline."""
    results = [result for found in datasets.values() for result in found]
    leads = [
        f"{r.dataset} {r.metric} {r.lead.value:+.{r.decimals}f}"
        f"{interval_text(r.lead.interval, r.decimals - 1)}"
        for r in results
        if r.lead
    ]
    notes = [NOTE] if any(result.model == CHANCE for result in results) else []
    if leads:
        notes.append(f"Ours minus the HOG model, on the same clips: {'; '.join(leads)}.")
    return notes


def _pooled_note(datasets: Mapping[str, Sequence[Result]]) -> str:
    """Return the note on how our figures are computed, and what each dataset's bootstrap draws."""
    drawn = {
        f"{dataset}: {result.resampled}"
        for dataset, found in datasets.items()
        for result in found
        if result.resampled
    }
    return _POOLED_NOTE + (f" over subjects ({', '.join(sorted(drawn))})." if drawn else ".")
