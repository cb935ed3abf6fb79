"""Stage `tabulate`: predictions, curves and rejects of all datasets -> tables and figures.

It writes, beside `benchmark.md`: `summary.{html,md}`, `benchmark.{csv,html,tex}`,
`folds.{csv,html,md}`, `per_class.{csv,html,md}`, `predictions.csv`, `models.csv`,
`rejects.{csv,html,md}` and `runs.html`. If there are variants, it adds
`ablations.{csv,html,md,tex}`; for DFEW, `comparison.{html,md,tex}`. Figures go to the folder
`figures` of the results. The paths of its inputs name run, dataset and fold
(`svfap.experiment.layout`).
"""

import logging
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pandas as pd

from svfap.config.stage_sections import TabulateConfig
from svfap.experiment import layout
from svfap.experiment.layout import MAIN
from svfap.tables import (
    ablations,
    benchmark,
    clip_predictions,
    comparison,
    folds,
    models,
    per_class,
    provenance,
)
from svfap.tables import rejects as reject_lists
from svfap.tables.chance import chance_notes
from svfap.tables.costs import CountedCost, read_costs, trained_note
from svfap.tables.figures import draw_results, draw_training
from svfap.tables.first_page import first_page
from svfap.tables.references import CHANCE, reference_results, variant_results
from svfap.tables.render import Table, with_note
from svfap.tables.results import Result, measure
from svfap.tables.scored import BASELINE_RUN, Scored, by_run, by_unit, read_scored
from svfap.tables.seeds import over_seeds
from svfap.tables.summary import summary, summary_tables
from svfap.tables.write import write_all_formats, write_csv, write_html, write_pages

logger = logging.getLogger(__name__)


def run(
    config: TabulateConfig,
    *,
    predictions: list[Path],
    curves: list[Path],
    crops: list[Path],
    costs: Path,
    output: Path,
    log: Callable[..., None],
) -> None:
    """Write all tables and figures; every number is computed from predictions.

    Args:
        config: facts of the datasets, in the order of the table.
        predictions: Parquet files of `svfap.evaluation.predictions`, one per run, dataset and fold.
        curves: curve CSVs of the main run's trainings.
        crops: the `clips.csv` of every part; `rejects.csv` is beside each.
        costs: the output of stage `cost`.
        output: the Markdown benchmark, `.../tables/benchmark.md`.
        log: function that records metrics by name.

    Raises:
        SvfapError: a file is missing, damaged, or does not fit the configuration.
    """
    tables, results = output.parent, output.parents[1]
    tables.mkdir(parents=True, exist_ok=True)
    files, baselines = by_run(config, predictions, results)
    clips = read_scored(config, files, baselines)
    scored = by_unit(clips)
    made = models.read_models(files)
    models.refuse_stale(made, config.expected)
    config = models.with_notices(config, made)
    measured, seeds = _measure_runs(config, scored)
    references = reference_results(config, scored)
    counted = read_costs(costs)
    chance = chance_notes(config.datasets, [*references, *measured[MAIN]])
    notes = [*chance.values(), f"{models.source_note(made)} {trained_note(counted)}".strip()]
    shown = benchmark.beside_paper(measured[MAIN], over_seeds(measured, seeds), references)
    _write_benchmark(config, shown, output, notes)
    by_fold = _write_folds(config, [*measured[MAIN], *references], tables, notes)
    compared = [*references, *measured[MAIN], *variant_results(config, scored)]
    _write_variants(config, scored, counted, tables, notes)
    by_class = _write_classes(found := _classes(config, scored), tables, notes)
    rejects = _write_clips(config, clips, crops, tables)
    draw_results(config, scored[MAIN], found, measured[MAIN], chance, results)
    draw_training(config, curves, results)
    _write_runs(made, tables, results)
    _write_summary(config, compared, (by_fold, by_class, rejects, counted), results)
    log(_pooled_metrics(measured[MAIN]))
    logger.info("tables in %s, figures in %s", tables, layout.FIGURES.path(results))


def _measure_runs(
    config: TabulateConfig, scored: Scored
) -> tuple[dict[str, list[Result]], list[str]]:
    """Return the results of the main run and of its seeds, and the names of the seeds."""
    seeds = [name for name, facts in config.runs.items() if facts.seed_of == MAIN]
    done = [name for name in (MAIN, *seeds) if name in scored]
    return {name: _measure(config, scored[name]) for name in done}, seeds


def _write_summary(
    config: TabulateConfig,
    compared: list[Result],
    details: tuple[list[Table], Table, Table, Mapping[str, CountedCost]],
    results: Path,
) -> None:
    """Write the first screen as text, and as the first page of the report with its details."""
    path = layout.BENCHMARK.beside("summary.md").path(results)
    path.write_text(summary(config, compared, results), encoding="utf-8")
    by_fold, by_class, rejects, costs = details
    times = provenance.time_table(results)
    screen = summary_tables(config, compared)
    page = first_page(screen, by_fold, by_class, rejects, times, costs)
    write_html(path.with_suffix(".html"), page, "Summary")


def _measure(config: TabulateConfig, groups: Mapping[str, pd.DataFrame]) -> list[Result]:
    """Compute the metrics of a run on every dataset."""
    return [
        result
        for name, facts in config.datasets.items()
        for result in measure(groups[name], name, facts)
    ]


def _write_benchmark(
    config: TabulateConfig, results: list[Result], output: Path, notes: list[str]
) -> None:
    notices = {name: facts.notice for name, facts in config.datasets.items()}
    shown = with_note(benchmark.benchmark_tables(results, notices), *notes)
    write_all_formats(output, shown, "Benchmark")
    write_csv(output.with_suffix(".csv"), benchmark.benchmark_rows(results, notices))


def _write_folds(
    config: TabulateConfig, results: list[Result], tables: Path, notes: list[str]
) -> list[Table]:
    notices = {name: facts.notice for name, facts in config.datasets.items()}
    measured = [result for result in results if result.model != CHANCE]
    shown = with_note(folds.fold_tables(measured, notices), *notes)
    write_pages(tables / "folds.md", shown, "Results by fold")
    write_csv(tables / "folds.csv", folds.fold_rows(measured, notices))
    return shown


def _write_variants(
    config: TabulateConfig,
    scored: Scored,
    costs: Mapping[str, CountedCost],
    tables: Path,
    notes: list[str],
) -> None:
    """Write the ablations if there are variants, and the comparison of models if there is DFEW."""
    if config.runs:
        found = list(ablations.ablations(config, scored, costs))
        shown = [ablations.ablation_table(ablation) for ablation in found]
        write_all_formats(tables / "ablations.md", with_note(shown, *notes), "Ablations")
        write_csv(tables / "ablations.csv", ablations.ablation_rows(found))
    compared = comparison.comparison_table(config, scored[MAIN], costs, scored.get(BASELINE_RUN))
    if compared:
        shown = with_note([compared], *notes)
        write_all_formats(tables / "comparison.md", shown, "Pre-trained models")


def _write_classes(found: list[per_class.ClassResult], tables: Path, notes: list[str]) -> Table:
    (shown,) = with_note([per_class.class_table(found)], *notes)
    write_pages(tables / "per_class.md", [shown], "Results by class")
    write_csv(tables / "per_class.csv", per_class.class_rows(found), per_class.COLUMNS)
    return shown


def _classes(config: TabulateConfig, scored: Scored) -> list[per_class.ClassResult]:
    """Return the accuracy of each class of all datasets with classes."""
    found = []
    for name, facts in config.datasets.items():
        rows = scored[MAIN][name]
        if facts.task == "classification" and len(rows):
            matrix = per_class.confusion_of(rows, len(facts.targets))
            floor = scored.get(BASELINE_RUN, {}).get(name)
            found += per_class.class_results(name, matrix, facts.targets, facts.notice, floor)
    return found


def _write_clips(config: TabulateConfig, scored: Scored, crops: list[Path], tables: Path) -> Table:
    """Write the predictions of all clips, and the list of the videos that gave none."""
    listed = clip_predictions.read_listed(config, crops)
    clip_predictions.write_predictions(tables / "predictions.csv", config, scored, listed)
    found = reject_lists.read([clips.with_name("rejects.csv") for clips in crops])
    found.to_csv(tables / "rejects.csv", index=False)
    shown = reject_lists.reject_table(found)
    write_pages(tables / "rejects.md", [shown], "Rejected videos")
    return shown


def _write_runs(made: list[models.ScoredModel], tables: Path, results: Path) -> None:
    write_csv(tables / "models.csv", models.model_rows(made))
    runs = [models.model_table(made), *provenance.provenance_tables(results)]
    write_html(tables / "runs.html", runs, "Runs")


def _pooled_metrics(measured: Iterable[Result]) -> dict[str, float]:
    """Return defined pooled metrics by a name such as "dfew UAR" or "chalearn CCC openness"."""
    return {
        " ".join(filter(None, (result.dataset, result.metric, result.target))): result.value
        for result in measured
        if not result.fold and not math.isnan(result.value)
    }
