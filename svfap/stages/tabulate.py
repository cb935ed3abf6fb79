"""Stage `tabulate`: predictions, curves and rejects of all datasets -> tables and figures.

Beside `benchmark.md` stand `benchmark.{csv,html,tex}`, `folds.{csv,md}`, `per_class.{csv,md}` and
`rejects.{csv,html,md}`, `runs.html`, with variants `ablations.{csv,html,md,tex}`, with DFEW
`comparison.{html,md,tex}`; figures go to the sibling folder `figures`. Files are told apart by the
layout of the pipeline: `variants/{run}/evaluate/{dataset}/{fold}/predictions.parquet`,
`{dataset}/{fold}/curve.csv`, `pretrain/curve.csv`, `{dataset}/{part}/rejects.csv`.
"""

import logging
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pandas as pd

from svfap.config.stage_sections import TabulateConfig
from svfap.errors import SvfapError
from svfap.evaluation.predictions import by_clip, by_group, read
from svfap.plots.classes import class_bars, confusion
from svfap.plots.curves import draw_curves, read_curve
from svfap.tables import ablations, benchmark, comparison, folds, per_class, provenance
from svfap.tables import rejects as reject_lists
from svfap.tables.costs import CountedCost
from svfap.tables.costs import read as read_costs
from svfap.tables.html import html
from svfap.tables.render import Table, latex, markdown
from svfap.tables.results import Result, check, folds_done, measure
from svfap.tables.seeds import over_seeds

logger = logging.getLogger(__name__)

PRETRAIN = "pretrain"
VARIANTS = "variants"
MAIN = ""


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
        curves: CSVs of the training runs.
        crops: the `clips.csv` of every part; `rejects.csv` lies beside each.
        costs: what the models of all runs cost, from the stage `cost`.
        output: the Markdown benchmark, `.../tables/benchmark.md`.
        log: takes metrics by name.

    Raises:
        SvfapError: a file is missing, damaged, or does not fit the configuration.
    """
    tables, figures = output.parent, output.parent.parent / "figures"
    tables.mkdir(parents=True, exist_ok=True)
    scored = _scored_runs(config, predictions)
    groups = scored[MAIN]
    seeds = [name for name, facts in config.runs.items() if facts.seed_of == MAIN]
    results = {name: _measure(config, scored[name]) for name in (MAIN, *seeds) if name in scored}
    measured = results[MAIN]
    _write_benchmark(config, measured, over_seeds(results, seeds), output)
    _write_variants(config, scored, read_costs(costs), tables)
    _write_classes(config, groups, tables, figures)
    _write_rejects([clips.with_name("rejects.csv") for clips in crops], tables)
    _draw_curves(config, curves, figures)
    _write_text(tables / "runs.html", html(provenance.tables(tables.parent), heading="Runs"))
    log(_loggable(measured))
    logger.info("tables in %s, figures in %s", tables, figures)


def _measure(config: TabulateConfig, groups: Mapping[str, pd.DataFrame]) -> list[Result]:
    return [
        result
        for name, facts in config.datasets.items()
        for result in measure(groups[name], name, facts)
    ]


def _scored_runs(config: TabulateConfig, paths: list[Path]) -> dict[str, dict[str, pd.DataFrame]]:
    """Run -> dataset -> its scored units; the main run first."""
    by_run: dict[str, list[Path]] = {MAIN: []}
    for path in paths:
        *_, variants, run, _, _, _, _ = ("", "", *path.parts)
        by_run.setdefault(run if variants == VARIANTS else MAIN, []).append(path)
    strays = sorted({*by_run} - {MAIN, *config.runs})
    if strays:
        raise SvfapError(f"predictions of a variant '{strays[0]}', which the configuration lacks")
    return {run: _scored_units(config, found) for run, found in by_run.items()}


def _scored_units(config: TabulateConfig, paths: list[Path]) -> dict[str, pd.DataFrame]:
    """Dataset -> one row per scored unit, checked against its facts; no rows without files."""
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
        check(rows, name, facts)
        groups[name] = by_group(by_clip(rows)) if len(rows) else rows
    return groups


def _write_benchmark(
    config: TabulateConfig, measured: list[Result], seeds: list[Result], output: Path
) -> None:
    notices = {name: facts.notice for name, facts in config.datasets.items()}
    results = benchmark.beside_paper(measured, seeds)
    shown = benchmark.benchmark_tables(results, notices)
    _write_tables(output, shown, "Benchmark")
    _write_csv(output.with_suffix(".csv"), benchmark.tidy(results, notices))
    by_fold = folds.fold_tables(measured, notices)
    _write_text(output.with_name("folds.md"), markdown(by_fold, heading="Results by fold"))
    _write_csv(output.with_name("folds.csv"), folds.tidy_folds(measured, notices))


def _write_variants(
    config: TabulateConfig,
    scored: Mapping[str, Mapping[str, pd.DataFrame]],
    costs: Mapping[str, CountedCost],
    tables: Path,
) -> None:
    """The ablations, if there are variants, and the comparison of models, if there is DFEW."""
    if config.runs:
        found = list(ablations.ablations(config, scored, costs))
        shown = [ablations.table(ablation) for ablation in found]
        _write_tables(tables / "ablations.md", shown, "Ablations")
        _write_csv(tables / "ablations.csv", ablations.tidy(found))
    compared = comparison.table(config, scored[MAIN], costs)
    if compared:
        _write_tables(tables / "comparison.md", [compared], "Pre-trained models")


def _write_classes(
    config: TabulateConfig, groups: Mapping[str, pd.DataFrame], tables: Path, figures: Path
) -> None:
    classes = []
    for name, facts in config.datasets.items():
        if facts.task == "classification" and len(groups[name]):
            matrix = per_class.confusion_of(groups[name], len(facts.targets))
            found = per_class.class_results(name, matrix, facts.targets, facts.notice)
            classes += found
            class_bars(
                per_class.by_model(found),
                facts.targets,
                title=f"{name}: accuracy by class",
                path=figures / name / "classes.png",
                notice=facts.notice,
            )
            confusion(
                matrix,
                facts.targets,
                title=f"{name}: confusion matrix, {folds_done(groups[name], facts)}",
                path=figures / name / "confusion.png",
                notice=facts.notice,
            )
    _write_table(tables / "per_class.md", per_class.table(classes), "Results by class")
    _write_csv(tables / "per_class.csv", per_class.tidy(classes), per_class.COLUMNS)


def _write_rejects(paths: list[Path], tables: Path) -> None:
    found = reject_lists.read(paths)
    found.to_csv(tables / "rejects.csv", index=False)
    shown = reject_lists.table(found)
    _write_table(tables / "rejects.md", shown, "Rejected videos")
    _write_text(tables / "rejects.html", html([shown], heading="Rejected videos"))


def _draw_curves(config: TabulateConfig, paths: list[Path], figures: Path) -> None:
    runs: dict[str, dict[str, pd.DataFrame]] = {}
    for path in paths:
        folder = path.parent
        name, fold = (
            (PRETRAIN, "") if folder.name == PRETRAIN else (folder.parent.name, folder.name)
        )
        runs.setdefault(name, {})[f"fold {fold}"] = read_curve(path)
    for name, frames in runs.items():
        if name != PRETRAIN and name not in config.datasets:
            raise SvfapError(f"a training curve of {name}, which the configuration does not name")
        facts = config.datasets.get(name)
        draw_curves(
            frames,
            title="Pre-training" if facts is None else f"{name}: fine-tuning",
            path=figures / name / "curves.png",
            notice=config.pretrain_notice if facts is None else facts.notice,
        )


def _loggable(measured: Iterable[Result]) -> dict[str, float]:
    """Pooled figures that are defined, by a name such as "dfew/UAR" or "chalearn/CCC/openness"."""
    return {
        "/".join(filter(None, (result.dataset, result.metric, result.target))): result.value
        for result in measured
        if not result.fold and not math.isnan(result.value)
    }


def _write_tables(path: Path, shown: list[Table], heading: str) -> None:
    """Markdown, HTML and LaTeX of the same tables."""
    _write_text(path, markdown(shown, heading=heading))
    _write_text(path.with_suffix(".html"), html(shown, heading=heading))
    _write_text(path.with_suffix(".tex"), latex(shown))


def _write_table(path: Path, table: Table, heading: str) -> None:
    _write_text(path, markdown([table], heading=heading))


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _write_csv(
    path: Path, rows: Iterable[Mapping[str, object]], columns: tuple[str, ...] | None = None
) -> None:
    pd.DataFrame(list(rows), columns=columns).to_csv(path, index=False)
