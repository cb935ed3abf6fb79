"""Pre-trained models on fold 1 of DFEW: the paper's table 7, with a row of our results."""

from collections.abc import Mapping

import pandas as pd

from svfap.config.stage_sections import TabulateConfig
from svfap.datasets.dataset import is_dataset
from svfap.experiment.layout import MAIN
from svfap.tables.ablations import PAPER_DATASET, PAPER_METRICS
from svfap.tables.cells import MISSING, NOT_RUN, result_text
from svfap.tables.costs import CountedCost
from svfap.tables.paper import notes_on, rows_of
from svfap.tables.render import Table
from svfap.tables.results import OURS, THIS_RUN, measure

_NOTE = (
    "All on fold 1. FLOPs are multiply-adds, as the paper counts them; ours are counted by the"
    " code. Brackets hold the 95 % bootstrap interval."
)


def comparison_table(
    config: TabulateConfig, groups: Mapping[str, pd.DataFrame], costs: Mapping[str, CountedCost]
) -> Table | None:
    """Return the paper's rows and our row; None if the configuration lacks DFEW.

    Args:
        config: facts of the datasets.
        groups: dataset -> rows of `predictions.by_group` of the main run.
        costs: run -> cost of its model.
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
    rows.append(_our_row(config, name, groups[name], costs.get(MAIN)))
    columns = ("Model", "Pre-trained on", "Params (M)", "FLOPs (G)", *PAPER_METRICS, "Source")
    notes = (_NOTE, *notes_on("Model comparison"))
    return Table(f"Pre-trained models on {name}, fold 1", columns, tuple(rows), "llrrrrl", notes)


def _our_row(
    config: TabulateConfig, name: str, groups: pd.DataFrame, cost: CountedCost | None
) -> tuple[str, ...]:
    facts = config.datasets[name]
    if len(groups):
        groups = groups[groups["fold"] == facts.folds[0]]
    measured = {r.metric: r for r in measure(groups, name, facts) if not r.fold}
    cells = [result_text(measured.get(metric), spread=True) for metric in PAPER_METRICS]
    counted = (f"{cost.parameters:.0f}", f"{cost.flops:.0f}") if cost else (NOT_RUN, NOT_RUN)
    return (OURS, config.pretrain_names or MISSING, *counted, *cells, THIS_RUN)
