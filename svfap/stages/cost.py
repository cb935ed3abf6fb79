"""Stage `cost`: parameters and multiply-adds of the model of each run."""

import csv
from pathlib import Path

from svfap.config.stage_sections import CostConfig, CostJob
from svfap.models.cost import finetune_cost, pretrain_cost, trained_parameters
from svfap.tables.costs import COLUMNS
from svfap.tracking.stage_run import Log


def run(config: CostConfig, *, output: Path, log: Log) -> None:
    """Compute the cost of each run's model by formula, without data or weights.

    Args:
        config: the models.
        output: the CSV to write, one row per run.
        log: function that receives the figures of the main run.
    """
    rows = {name: _figures(job) for name, job in config.runs.items()}
    with output.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows({"run": name} | figures for name, figures in rows.items())
    log(next(iter(rows.values())))


def _figures(job: CostJob) -> dict[str, int]:
    """Return a row of the table by column, without the run's name."""
    finetune = finetune_cost(job.model, job.outputs, job.finetune.pool)
    pretrain = pretrain_cost(job.model, job.mask_ratio, job.target_fraction)
    return {
        "parameters": finetune.parameters,
        "multiply_adds": finetune.multiply_adds,
        "trained_parameters": trained_parameters(job.model, job.outputs, job.finetune),
        "pretrain_parameters": pretrain.parameters,
        "pretrain_multiply_adds": pretrain.multiply_adds,
    }
