"""Stage `cost`: parameters and multiply-adds of the model of each run."""

import csv
from functools import cache
from pathlib import Path

from svfap.config.stage_sections import CostConfig, CostJob
from svfap.models.cost import finetune_cost, pretrain_cost
from svfap.tables.costs import COLUMNS
from svfap.tracking.stage_run import Log


def run(config: CostConfig, *, output: Path, log: Log) -> None:
    """Count, without data or weights.

    Args:
        config: the models.
        output: the CSV to write, a row per run.
        log: takes the figures of the main run.
    """
    rows = {name: _count(job) for name, job in config.runs.items()}
    with output.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows({"run": name} | figures for name, figures in rows.items())
    log(next(iter(rows.values())))


@cache
def _count(job: CostJob) -> dict[str, int]:
    finetune = finetune_cost(job.model, job.outputs)
    pretrain = pretrain_cost(job.model, job.mask_ratio, job.target_fraction)
    figures = (*finetune, *pretrain)
    return dict(zip(COLUMNS[1:], figures, strict=True))
