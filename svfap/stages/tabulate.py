"""Stage `tabulate`: predictions, curves and rejects of all datasets -> tables and figures.

It writes, beside `benchmark.md`: `benchmark.{csv,html,tex}`, `folds.{csv,md}`,
`per_class.{csv,md}`, `predictions.csv`, `models.csv`, `rejects.{csv,html,md}` and `runs.html`. If
there are variants, it adds `ablations.{csv,html,md,tex}`; for DFEW, `comparison.{html,md,tex}`.
Figures go to the folder `figures` of the results. The paths of its inputs name run, dataset and
fold (`svfap.experiment.layout`).
"""

import logging
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pandas as pd

from svfap.config.stage_sections import TabulateConfig
from svfap.errors import SvfapError
from svfap.experiment import layout
from svfap.experiment.layout import MAIN
from svfap.plots.classes import draw_class_bars, draw_confusion
from svfap.plots.curves import draw_curves, read_curve
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
from svfap.tables.costs import CountedCost, read_costs, trained_note
from svfap.tables.references import CHANCE, reference_results, variant_results
from svfap.tables.render import with_note
from svfap.tables.results import Result, folds_done, measure
from svfap.tables.scored import BASELINE_RUN, Scored, by_run, by_unit, parse, read_scored
from svfap.tables.seeds import over_seeds
from svfap.tables.summary import summary
from svfap.tables.write import write_all_formats, write_csv, write_html, write_markdown

logger = logging.getLogger(__name__)

PRETRAIN = "pretrain"  # folder of pre-training's figure; a fine-tuning's is named by its dataset
PRETRAIN_CURVE = layout.PRETRAINED.beside(layout.CURVE)
FINETUNE_CURVE = layout.FINETUNED.beside(layout.CURVE)


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
    seeds = [name for name, facts in config.runs.items() if facts.seed_of == MAIN]
    measured = {name: _measure(config, scored[name]) for name in (MAIN, *seeds) if name in scored}
    references = reference_results(config, scored)
    counted = read_costs(costs)
    note = " ".join(filter(None, (models.source_note(made), trained_note(counted))))
    shown = benchmark.beside_paper(measured[MAIN], over_seeds(measured, seeds), references)
    _write_benchmark(config, shown, output, note)
    _write_folds(config, [*measured[MAIN], *references], tables, note)
    compared = [*references, *measured[MAIN], *variant_results(config, scored)]
    (tables / "summary.md").write_text(summary(config, compared, results), encoding="utf-8")
    _write_variants(config, scored, counted, tables, note)
    _write_classes(config, scored, tables, results, note)
    _write_clips(config, clips, crops, tables)
    _draw_curves(config, curves, results)
    _write_runs(made, tables, results)
    log(_pooled_metrics(measured[MAIN]))
    logger.info("tables in %s, figures in %s", tables, layout.FIGURES.path(results))


def _measure(config: TabulateConfig, groups: Mapping[str, pd.DataFrame]) -> list[Result]:
    """Compute the metrics of a run on every dataset."""
    return [
        result
        for name, facts in config.datasets.items()
        for result in measure(groups[name], name, facts)
    ]


def _write_benchmark(
    config: TabulateConfig, results: list[Result], output: Path, note: str
) -> None:
    notices = {name: facts.notice for name, facts in config.datasets.items()}
    shown = with_note(benchmark.benchmark_tables(results, notices), note)
    write_all_formats(output, shown, "Benchmark")
    write_csv(output.with_suffix(".csv"), benchmark.benchmark_rows(results, notices))


def _write_folds(config: TabulateConfig, results: list[Result], tables: Path, note: str) -> None:
    notices = {name: facts.notice for name, facts in config.datasets.items()}
    measured = [result for result in results if result.model != CHANCE]
    by_fold = with_note(folds.fold_tables(measured, notices), note)
    write_markdown(tables / "folds.md", by_fold, "Results by fold")
    write_csv(tables / "folds.csv", folds.fold_rows(measured, notices))


def _write_variants(
    config: TabulateConfig,
    scored: Scored,
    costs: Mapping[str, CountedCost],
    tables: Path,
    note: str,
) -> None:
    """Write the ablations if there are variants, and the comparison of models if there is DFEW."""
    if config.runs:
        found = list(ablations.ablations(config, scored, costs))
        shown = [ablations.ablation_table(ablation) for ablation in found]
        write_all_formats(tables / "ablations.md", with_note(shown, note), "Ablations")
        write_csv(tables / "ablations.csv", ablations.ablation_rows(found))
    compared = comparison.comparison_table(config, scored[MAIN], costs, scored.get(BASELINE_RUN))
    if compared:
        shown = with_note([compared], note)
        write_all_formats(tables / "comparison.md", shown, "Pre-trained models")


def _write_classes(
    config: TabulateConfig,
    scored: Scored,
    tables: Path,
    results: Path,
    note: str,
) -> None:
    """Write the table of classes, and draw bars and confusion matrix of each dataset."""
    classes = []
    groups = scored[MAIN]
    for name, facts in config.datasets.items():
        if facts.task == "classification" and len(groups[name]):
            matrix = per_class.confusion_of(groups[name], len(facts.targets))
            floor = scored.get(BASELINE_RUN, {}).get(name)
            found = per_class.class_results(name, matrix, facts.targets, facts.notice, floor)
            classes += found
            draw_class_bars(
                per_class.by_model(found),
                facts.targets,
                title=f"{name}: accuracy by class",
                path=layout.CLASSES_FIGURE.path(results, dataset=name),
                notice=facts.notice,
            )
            draw_confusion(
                matrix,
                facts.targets,
                title=f"{name}: confusion matrix, {folds_done(groups[name], facts)}",
                path=layout.CONFUSION_FIGURE.path(results, dataset=name),
                notice=facts.notice,
            )
    shown = with_note([per_class.class_table(classes)], note)
    write_markdown(tables / "per_class.md", shown, "Results by class")
    write_csv(tables / "per_class.csv", per_class.class_rows(classes), per_class.COLUMNS)


def _write_clips(config: TabulateConfig, scored: Scored, crops: list[Path], tables: Path) -> None:
    """Write the predictions of all clips, and the list of the videos that gave none."""
    listed = clip_predictions.read_listed(config, crops)
    clip_predictions.write_predictions(tables / "predictions.csv", config, scored, listed)
    found = reject_lists.read([clips.with_name("rejects.csv") for clips in crops])
    found.to_csv(tables / "rejects.csv", index=False)
    shown = reject_lists.reject_table(found)
    write_markdown(tables / "rejects.md", [shown], "Rejected videos")
    write_html(tables / "rejects.html", [shown], "Rejected videos")


def _write_runs(made: list[models.ScoredModel], tables: Path, results: Path) -> None:
    write_csv(tables / "models.csv", models.model_rows(made))
    runs = [models.model_table(made), *provenance.provenance_tables(results)]
    write_html(tables / "runs.html", runs, "Runs")


def _draw_curves(config: TabulateConfig, paths: list[Path], results: Path) -> None:
    """Draw one figure for pre-training, and one with all folds for each dataset."""
    by_name: dict[str, dict[str, pd.DataFrame]] = {}
    for path in paths:
        name, fold = _training_of(path, results)
        by_name.setdefault(name, {})[f"fold {fold}"] = read_curve(path)
    for name, frames in by_name.items():
        if name != PRETRAIN and name not in config.datasets:
            raise SvfapError(f"a training curve of {name}, which the configuration does not name")
        facts = config.datasets.get(name)
        draw_curves(
            frames,
            title="Pre-training" if facts is None else f"{name}: fine-tuning",
            path=layout.CURVES_FIGURE.path(results, dataset=name),
            notice=config.pretrain_notice if facts is None else facts.notice,
        )


def _training_of(path: Path, results: Path) -> tuple[str, str]:
    """Return dataset and fold of a curve; "pretrain" and no fold for pre-training."""
    if parse(PRETRAIN_CURVE, path, results):
        return PRETRAIN, ""
    names = parse(FINETUNE_CURVE, path, results)
    if names is None:
        raise SvfapError(
            f"{path}: not a training curve's place; pass {PRETRAIN_CURVE.pattern} or"
            f" {FINETUNE_CURVE.pattern} below {results}"
        )
    return names["dataset"], names["fold"]


def _pooled_metrics(measured: Iterable[Result]) -> dict[str, float]:
    """Return defined pooled metrics by a name such as "dfew UAR" or "chalearn CCC openness"."""
    return {
        " ".join(filter(None, (result.dataset, result.metric, result.target))): result.value
        for result in measured
        if not result.fold and not math.isnan(result.value)
    }
