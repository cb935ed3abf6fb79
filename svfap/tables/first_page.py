"""The first page of the report: results, chance, folds, classes, rejects and cost in one place."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from svfap.experiment.layout import MAIN
from svfap.tables.costs import CountedCost
from svfap.tables.render import Table

_REJECTS = 5  # rejected videos that the page shows; the list of rejects has all


def first_page(
    summary: Sequence[Table],
    by_fold: Iterable[Table],
    by_class: Table,
    rejects: Table,
    times: Table,
    costs: Mapping[str, CountedCost],
) -> list[Table]:
    """Return the tables of the page in order.

    Args:
        summary: a table per dataset, with what it means and all notices.
        by_fold: results by fold.
        by_class: accuracies by class; without rows if there are only regressions.
        rejects: the rejected videos.
        times: run times of each stage.
        costs: run -> cost of its model.
    """
    shown = rejects
    if len(rejects.rows) > _REJECTS:
        note = f"The first {_REJECTS}; the page of rejects has more."
        shown = replace(rejects, rows=rejects.rows[:_REJECTS], notes=(note,))
    folds = [replace(table, title=f"By fold. {table.title}") for table in by_fold]
    classes = [by_class] if by_class.rows else []
    return [*summary, *folds, *classes, shown, times, _cost_table(costs)]


def _cost_table(costs: Mapping[str, CountedCost]) -> Table:
    """Return the size of each run's model."""
    rows = tuple(
        (
            *("main run" if run == MAIN else run, f"{c.parameters:.3g}", c.trained_text),
            *(f"{c.flops:.3g}", f"{c.pretrain_flops:.3g}"),
        )
        for run, c in costs.items()
    )
    columns = ("Run", "Params (M)", "trained (M)", "FLOPs (G)", "pre-training (G)")
    note = "Multiply-adds of one clip, in billions; the paper calls them FLOPs."
    return Table("Models", columns, rows, "lrrrr", (note,))
