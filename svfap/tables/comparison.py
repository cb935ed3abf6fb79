"""Pre-trained models on fold 1 of DFEW: the paper's table 7, with a row of our results."""

from collections.abc import Mapping

import pandas as pd

from svfap.config.stage_sections import DatasetFacts, TabulateConfig
from svfap.datasets.dataset import is_dataset
from svfap.experiment.layout import MAIN
from svfap.tables.ablations import PAPER_DATASET, PAPER_METRICS
from svfap.tables.cells import MISSING, NOT_RUN, result_text
from svfap.tables.costs import CountedCost
from svfap.tables.paper import notes_on, rows_of
from svfap.tables.references import BASELINES
from svfap.tables.render import Table
from svfap.tables.results import OURS, THIS_RUN, measure

_NOTE = (
    "All on fold 1. FLOPs are multiply-adds, as the paper counts them; ours are counted by the"
    " code. Brackets hold the 95 % bootstrap interval."
)


def comparison_table(
    config: TabulateConfig,
    groups: Mapping[str, pd.DataFrame],
    costs: Mapping[str, CountedCost],
    baselines: Mapping[str, pd.DataFrame] | None = None,
) -> Table | None:
    """Return the paper's rows, our row and the baseline's; None if the configuration lacks DFEW.

    Args:
        config: facts of the datasets.
        groups: dataset -> rows of `predictions.by_group` of the main run.
        costs: run -> cost of its model.
        baselines: dataset -> such rows of the classical baseline.
    """
    name = next((name for name in config.datasets if is_dataset(name, PAPER_DATASET)), None)
    if name is None:
        return None
    rows = [
        (
            *(row["model"], row["data"] or MISSING, row["parameters"], row["flops"]),
            *(row[metric] for metric in PAPER_METRICS),
            "paper",
        )
        for row in rows_of("paper_models")
    ]
    cost = costs.get(MAIN)
    counted = (f"{cost.parameters:.0f}", f"{cost.flops:.0f}") if cost else (NOT_RUN, NOT_RUN)
    known: tuple[str, ...] = (OURS, config.pretrain_names or MISSING, *counted)
    facts = config.datasets[name]
    rows.append((*known, *_cells(facts, name, groups[name]), THIS_RUN))
    if baselines and len(baselines[name]):
        known = (BASELINES[facts.task], *[MISSING] * 3)
        rows.append((*known, *_cells(facts, name, baselines[name]), THIS_RUN))
    columns = ("Model", "Pre-trained on", "Params (M)", "FLOPs (G)", *PAPER_METRICS, "Source")
    notes = (_NOTE, *notes_on("Model comparison"))
    return Table(f"Pre-trained models on {name}, fold 1", columns, tuple(rows), "llrrrrl", notes)


def _cells(facts: DatasetFacts, name: str, groups: pd.DataFrame) -> list[str]:
    """Return the cells of the paper's metrics on fold 1."""
    if len(groups):
        groups = groups[groups["fold"] == facts.folds[0]]
    measured = {r.metric: r for r in measure(groups, name, facts) if not r.fold}
    return [result_text(measured.get(metric), spread=True) for metric in PAPER_METRICS]
