"""Stage `tabulate`: predictions, curves and rejects of all datasets -> tables and figures.

It writes, beside `benchmark.md`: `benchmark.{csv,html,tex}`, `folds.{csv,md}`,
`per_class.{csv,md}`, `models.csv`, `rejects.{csv,html,md}` and `runs.html`. If there are variants,
it adds `ablations.{csv,html,md,tex}`; for DFEW, `comparison.{html,md,tex}`. Figures go to the
folder `figures` of the results. The paths of its inputs name run, dataset and fold
(`svfap.experiment.layout`).
"""

import logging
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pandas as pd

from svfap.config.stage_sections import TabulateConfig
from svfap.errors import SvfapError
from svfap.evaluation.predictions import by_clip, by_group, read
from svfap.experiment import layout
from svfap.experiment.layout import MAIN
from svfap.plots.classes import draw_class_bars, draw_confusion
from svfap.plots.curves import draw_curves, read_curve
from svfap.tables import ablations, benchmark, comparison, folds, models, per_class, provenance
from svfap.tables import rejects as reject_lists
from svfap.tables.costs import CountedCost, read_costs
from svfap.tables.render import with_note
from svfap.tables.results import Result, check_predictions, folds_done, measure
from svfap.tables.seeds import over_seeds
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
    figures = layout.FIGURES.path(results)
    tables.mkdir(parents=True, exist_ok=True)
    files = _by_run(config, predictions, results)
    scored = {run: _read_units(config, found) for run, found in files.items()}
    made = models.read_models(files)
    models.refuse_stale(made, config.expected)
    config = models.with_notices(config, made)
    groups = scored[MAIN]
    seeds = [name for name, facts in config.runs.items() if facts.seed_of == MAIN]
    measured = {name: _measure(config, scored[name]) for name in (MAIN, *seeds) if name in scored}
    note = models.source_note(made)
    _write_benchmark(config, measured[MAIN], over_seeds(measured, seeds), output, note)
    _write_variants(config, scored, read_costs(costs), tables, note)
    _write_classes(config, groups, tables, results, note)
    _write_rejects([clips.with_name("rejects.csv") for clips in crops], tables)
    _draw_curves(config, curves, results)
    write_csv(tables / "models.csv", models.model_rows(made))
    runs = [models.model_table(made), *provenance.provenance_tables(results)]
    write_html(tables / "runs.html", runs, "Runs")
    log(_pooled_metrics(measured[MAIN]))
    logger.info("tables in %s, figures in %s", tables, figures)


def _measure(config: TabulateConfig, groups: Mapping[str, pd.DataFrame]) -> list[Result]:
    """Compute the metrics of a run on every dataset."""
    return [
        result
        for name, facts in config.datasets.items()
        for result in measure(groups[name], name, facts)
    ]


def _by_run(config: TabulateConfig, paths: list[Path], results: Path) -> dict[str, list[Path]]:
    """Return run -> its predictions, the main run first."""
    by_run: dict[str, list[Path]] = {MAIN: []}
    for path in paths:
        names = _parse(layout.PREDICTIONS, path, results) or {"run": MAIN}
        by_run.setdefault(layout.variant_of(names["run"]), []).append(path)
    strays = sorted({*by_run} - {MAIN, *config.runs})
    if strays:
        raise SvfapError(f"predictions of a variant '{strays[0]}', which the configuration lacks")
    return by_run


def _parse(output: layout.Output, path: Path, results: Path) -> dict[str, str] | None:
    """Return the names in the path of an input, which may also be a copy in another folder."""
    return output.parse(path, below=results) or output.parse(path)


def _read_units(config: TabulateConfig, paths: list[Path]) -> dict[str, pd.DataFrame]:
    """Return the checked rows of scored units by dataset; there are none without predictions."""
    frame = read(paths)
    unknown = sorted({*frame["dataset"]} - {*config.datasets})
    if unknown:
        raise SvfapError(
            f"predictions of {', '.join(unknown)}, which the configuration does not name; it has"
            f" {', '.join(config.datasets)}"
        )
    groups = {}
    for name, facts in config.datasets.items():
        rows = frame[frame["dataset"] == name]
        check_predictions(rows, name, facts)
        groups[name] = by_group(by_clip(rows)) if len(rows) else rows
    return groups


def _write_benchmark(
    config: TabulateConfig, measured: list[Result], seeds: list[Result], output: Path, note: str
) -> None:
    notices = {name: facts.notice for name, facts in config.datasets.items()}
    results = benchmark.beside_paper(measured, seeds)
    shown = with_note(benchmark.benchmark_tables(results, notices), note)
    write_all_formats(output, shown, "Benchmark")
    write_csv(output.with_suffix(".csv"), benchmark.benchmark_rows(results, notices))
    by_fold = with_note(folds.fold_tables(measured, notices), note)
    write_markdown(output.with_name("folds.md"), by_fold, "Results by fold")
    write_csv(output.with_name("folds.csv"), folds.fold_rows(measured, notices))


def _write_variants(
    config: TabulateConfig,
    scored: Mapping[str, Mapping[str, pd.DataFrame]],
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
    compared = comparison.comparison_table(config, scored[MAIN], costs)
    if compared:
        shown = with_note([compared], note)
        write_all_formats(tables / "comparison.md", shown, "Pre-trained models")


def _write_classes(
    config: TabulateConfig,
    groups: Mapping[str, pd.DataFrame],
    tables: Path,
    results: Path,
    note: str,
) -> None:
    """Write the table of classes, and draw bars and confusion matrix of each dataset."""
    classes = []
    for name, facts in config.datasets.items():
        if facts.task == "classification" and len(groups[name]):
            matrix = per_class.confusion_of(groups[name], len(facts.targets))
            found = per_class.class_results(name, matrix, facts.targets, facts.notice)
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


def _write_rejects(paths: list[Path], tables: Path) -> None:
    found = reject_lists.read(paths)
    found.to_csv(tables / "rejects.csv", index=False)
    shown = reject_lists.reject_table(found)
    write_markdown(tables / "rejects.md", [shown], "Rejected videos")
    write_html(tables / "rejects.html", [shown], "Rejected videos")


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
    if _parse(PRETRAIN_CURVE, path, results):
        return PRETRAIN, ""
    names = _parse(FINETUNE_CURVE, path, results)
    if names is None:
        raise SvfapError(
            f"{path}: not a training curve's place; pass {PRETRAIN_CURVE.pattern} or"
            f" {FINETUNE_CURVE.pattern} below {results}"
        )
    return names["dataset"], names["fold"]


def _pooled_metrics(measured: Iterable[Result]) -> dict[str, float]:
    """Return defined pooled metrics by a name such as "dfew/UAR" or "chalearn/CCC/openness"."""
    return {
        "/".join(filter(None, (result.dataset, result.metric, result.target))): result.value
        for result in measured
        if not result.fold and not math.isnan(result.value)
    }
