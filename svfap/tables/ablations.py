"""Tables of ablations: each row has a setting, the paper's results, our results and our change.

All rows of a table are measured on the folds for which all its runs have predictions, so the rows
can be compared. A paired bootstrap over the same people gives the change against the main run.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from svfap.config.stage_sections import DatasetFacts, TabulateConfig
from svfap.config.variants import RunFacts
from svfap.datasets.dataset import is_dataset
from svfap.evaluation import bootstrap
from svfap.evaluation.metrics import METRICS
from svfap.experiment.layout import MAIN
from svfap.tables.cells import MISSING, NOT_RUN, csv_number, interval_text
from svfap.tables.costs import TRAINED, CountedCost
from svfap.tables.paper import notes_on, rows_of
from svfap.tables.references import BASELINES, difference, is_main
from svfap.tables.render import Table
from svfap.tables.results import Result, measure
from svfap.tables.scored import BASELINE_RUN, Scored

PAPER_DATASET = "DFEW"
PAPER_METRICS = ("UAR", "WAR")
_NOTE = (
    "All rows are measured on the folds {folds}; brackets hold the 95 % bootstrap interval over"
    " {drawn}. The change is against the main run, marked *, on the same clips."
)
_PAPER_NOTE = "The paper's figures are of fold 1 of DFEW; costs are counted as the paper counts."


@dataclass(frozen=True)
class AblationRow:
    """A setting of an ablation on a dataset.

    Attributes:
        dataset: name of the dataset.
        ablation: title of the ablation.
        setting: name of the setting.
        run: the run with this setting; None if the configuration has none.
        paper: metric -> the paper's result, per cent.
        cost: cost of the model as the code counts it, or as the paper gives it if there is no run.
        ours: metric -> our result; empty if the setting has not run.
        change: change of the first metric against the main run; None for the main run itself.
    """

    dataset: str
    ablation: str
    setting: str
    run: str | None
    paper: Mapping[str, float]
    cost: CountedCost | None
    ours: Mapping[str, Result]
    change: bootstrap.Difference | None


@dataclass(frozen=True)
class Ablation:
    """An ablation on one dataset.

    Attributes:
        title: title of the ablation.
        dataset: name of the dataset.
        metrics: the dataset's metrics.
        folds: the folds on which all rows are measured.
        drawn: what the bootstrap draws, for example "91 subjects".
        rows: a row per setting.
        notice: sentence that must accompany the dataset's results.
    """

    title: str
    dataset: str
    metrics: tuple[str, ...]
    folds: tuple[str, ...]
    drawn: str
    rows: tuple[AblationRow, ...]
    notice: str


def ablations(
    config: TabulateConfig, scored: Scored, costs: Mapping[str, CountedCost]
) -> Iterator[Ablation]:
    """Yield every ablation of the configuration, on every dataset of its variants.

    Args:
        config: facts of datasets and variants.
        scored: run -> dataset -> rows of `predictions.by_group`; `BASELINE_RUN` is a run too.
        costs: run -> cost of its model.
    """
    titles = {name: _title(facts) for name, facts in config.runs.items()}
    labels = Counter(facts.label for facts in config.runs.values())
    for title in dict.fromkeys(titles.values()):
        members = {name: config.runs[name] for name in titles if titles[name] == title}
        for dataset, facts in config.datasets.items():
            settings = {
                f.label if labels[f.label] == 1 else f"{f.label} ({name})": name
                for name, f in members.items()
                if dataset in f.folds
            }
            if settings:
                if len(scored.get(BASELINE_RUN, {}).get(dataset, ())):
                    settings[BASELINES[facts.task]] = BASELINE_RUN
                yield _ablation(title, (dataset, facts), settings, scored, costs)


def ablation_table(ablation: Ablation) -> Table:
    """Return an ablation as a table."""
    published = any(row.paper for row in ablation.rows)
    theirs = [f"{metric}, paper" for metric in PAPER_METRICS] if published else []
    frozen = any(row.cost and row.cost.trained is not None for row in ablation.rows)
    costs = ("Params (M)", *([TRAINED] if frozen else []), "FLOPs (G)", "pre-training (G)")
    change = f"change of {ablation.metrics[0]}"
    columns = ("Setting", *costs, *theirs, *ablation.metrics, change)
    rows = tuple(_cells(row, ablation.metrics, published, frozen) for row in ablation.rows)
    notes = [_NOTE.format(folds=", ".join(ablation.folds) or MISSING, drawn=ablation.drawn)]
    notes += [_PAPER_NOTE] if published else []
    notes += [ablation.notice] if ablation.notice else []
    notes += notes_on(ablation.title) if is_dataset(ablation.dataset, PAPER_DATASET) else []
    title = f"{ablation.title}, {ablation.dataset}"
    align = "l" + "r" * (len(columns) - 1)
    return Table(title, columns, rows, align, tuple(notes))


def ablation_rows(found: Iterable[Ablation]) -> Iterator[dict[str, object]]:
    """Yield ablations as rows of a CSV, one per setting and metric."""
    for ablation in found:
        for row in ablation.rows:
            for metric in ablation.metrics:
                ours = row.ours.get(metric)
                change = row.change if metric == ablation.metrics[0] else None
                yield {
                    "dataset": row.dataset,
                    "ablation": row.ablation,
                    "setting": row.setting,
                    "run": "main" if row.run == MAIN else row.run or NOT_RUN,
                    "metric": metric,
                    "paper": csv_number(row.paper.get(metric, float("nan"))),
                    "value": csv_number(ours.value) if ours else "",
                    "low": csv_number(ours.interval.low) if ours else "",
                    "high": csv_number(ours.interval.high) if ours else "",
                    "change": csv_number(change.value) if change else "",
                    "change_low": csv_number(change.interval.low) if change else "",
                    "change_high": csv_number(change.interval.high) if change else "",
                    "p": csv_number(change.p) if change else "",
                    "folds": " ".join(ablation.folds),
                    "resampled": ablation.drawn,
                    "notice": ablation.notice,
                }


def _title(facts: RunFacts) -> str:
    """Return the title of the table that shows a variant: no variant is in none."""
    return facts.ablation or ("Seeds" if facts.seed_of == MAIN else "Variants")


def _ablation(
    title: str,
    dataset: tuple[str, DatasetFacts],
    settings: dict[str, str],
    scored: Scored,
    costs: Mapping[str, CountedCost],
) -> Ablation:
    """Return an ablation with the paper's settings in the paper's order, then our own settings."""
    name, facts = dataset
    paper = {}
    if is_dataset(name, PAPER_DATASET):
        paper = {r["setting"]: r for r in rows_of("paper_ablations") if r["ablation"] == title}
    main = next((setting for setting, row in paper.items() if row["main"]), "main run")
    runs = {main: MAIN} | settings
    order = [*paper, *(setting for setting in runs if setting not in paper)]
    units = {run: scored.get(run, {}).get(name, pd.DataFrame()) for run in runs.values()}
    done = [{*rows["fold"]} for rows in units.values() if len(rows)]
    folds = tuple(fold for fold in facts.folds if done and all(fold in some for some in done))
    units = {r: rows[rows["fold"].isin(folds)] for r, rows in units.items() if len(rows)}
    drawn = next((str(bootstrap.units_of(rows)) for rows in units.values() if len(rows)), MISSING)
    rows = []
    for setting in order:
        run = runs.get(setting)
        published = paper.get(setting)
        rows.append(
            AblationRow(
                name,
                title,
                setting,
                run,
                _paper_results(published),
                costs[run] if run is not None and run in costs else _paper_cost(published),
                _measure_pooled(None if run is None else units.get(run), name, facts),
                _change(units, run, facts),
            )
        )
    return Ablation(title, name, facts.metrics, folds, drawn, tuple(rows), facts.notice)


def _paper_results(row: Mapping[str, str] | None) -> dict[str, float]:
    return {metric: float(row[metric]) for metric in PAPER_METRICS} if row else {}


def _paper_cost(row: Mapping[str, str] | None) -> CountedCost | None:
    columns = ("parameters", "flops", "pretrain_flops")
    return CountedCost(*(float(row[column]) for column in columns)) if row else None


def _measure_pooled(
    rows: pd.DataFrame | None, dataset: str, facts: DatasetFacts
) -> dict[str, Result]:
    """Return metric -> its pooled result, averaged over the targets if there are several."""
    if rows is None or not len(rows):
        return {}
    return {r.metric: r for r in measure(rows, dataset, facts) if is_main(r, facts.targets)}


def _change(
    units: Mapping[str, pd.DataFrame], run: str | None, facts: DatasetFacts
) -> bootstrap.Difference | None:
    """Return the change of the first metric against the main run, in the unit of tables."""
    if not run or run not in units or MAIN not in units:
        return None
    return difference(units[MAIN], units[run], facts.metrics[0])


def _cells(
    row: AblationRow, metrics: Sequence[str], published: bool, frozen: bool
) -> tuple[str, ...]:
    cost = row.cost
    costs = (cost.parameters, cost.flops, cost.pretrain_flops) if cost else ()
    shown = [f"{value:.1f}" if value >= 1 else f"{value:.2g}" for value in costs] or [MISSING] * 3
    if frozen:
        shown.insert(1, cost.trained_text if cost else MISSING)
    if published:
        shown += [f"{row.paper[m]:.2f}" if m in row.paper else MISSING for m in PAPER_METRICS]
    for metric in metrics:
        ours = row.ours.get(metric)
        shown.append(
            f"{ours.value:.{ours.decimals}f}{interval_text(ours.interval, ours.decimals - 1)}"
            if ours
            else NOT_RUN
        )
    decimals = 2 if METRICS[metrics[0]].percent else 4
    change = row.change
    shown.append(
        f"{change.value:+.{decimals}f}{interval_text(change.interval, decimals - 1)}"
        if change
        else MISSING
    )
    return (row.setting + (" *" if row.run == MAIN else ""), *shown)
