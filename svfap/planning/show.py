"""A plan for people, as a table with its assumptions, and for programs, as JSON."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from svfap.planning.estimate import Estimate, StagePlan, total
from svfap.planning.forecast import Forecast

COLUMNS = (
    "stage", "jobs", "time", "CPU hours", "GPU hours", "disk", "network", "limit", "measured",
)  # fmt: skip
HOUR, DAY = 3600, 86_400
ADVISED = ("pretrain", "finetune")


def as_text(plan: Forecast) -> str:
    """The table, what holds the experiment up, and what was assumed."""
    rows = [_row(stage, plan) for stage in plan.stages]
    columns = len(COLUMNS) - (not plan.measured)
    table = [row[:columns] for row in (COLUMNS, *rows, _sum(plan))]
    lines = ["", *bottlenecks(plan), "", "Assumptions", *(f"- {a}" for a in assumptions(plan))]
    return "\n".join([plan.machine.text, "", *_aligned(table), *lines])


def as_json(plan: Forecast) -> str:
    """All figures in seconds, bytes and clips a second."""
    values: dict[str, Any] = {
        "machine": asdict(plan.machine),
        "seconds": total(plan.stages),
        "stages": {stage.stage: _figures(stage, plan) for stage in plan.stages},
        "bottlenecks": bottlenecks(plan),
        "assumptions": [*assumptions(plan)],
    }
    return json.dumps(values, indent=1)


def bottlenecks(plan: Forecast) -> list[str]:
    """The stage that takes longest, and what bounds each training."""
    longest = max(plan.stages, key=lambda stage: stage.seconds)
    share = longest.seconds / total(plan.stages)
    lines = [f"Bottleneck: {longest.stage}, {share:.0%} of the time."]
    for stage in plan.stages:
        if stage.stage in ADVISED:
            lines.append(_feeding(max(stage.jobs, key=lambda job: job.seconds)))
    return lines


def _feeding(job: Estimate) -> str:
    """What a training needs and what it gets."""
    workers, need = job.job.workers, f"{job.job.stage}: the model takes {job.eat:,.0f} clips/s,"
    loaders = f"loaders ({workers} a process)" if workers else "the training process itself"
    gets = f"{loaders} can load {job.feed:,.0f}, all CPUs {job.all_cpus:,.0f}"
    verdict = f"bound by the {job.limit}"
    if job.limit == "loading":
        verdict += "; raise optim.workers" if job.all_cpus > 1.2 * job.feed else "; add CPUs"
    return f"{need} {gets}: {verdict}."


def assumptions(plan: Forecast) -> Iterator[str]:
    """What the figures rest on."""
    yield f"Rates: {plan.rates.source}; a CPU of the machine is as fast, and time falls with CPUs."
    if plan.rates.corrections:
        factors = ", ".join(f"{k} {v:.2f}" for k, v in plan.rates.corrections.items())
        yield f"Corrected by the measured run: {factors}."
    if plan.machine.gpus:
        yield f"GPUs reach {plan.share:.0%} of their peak in training (assumed; --gpu-share)."
        yield "Pre-training takes all GPUs of one machine, other trainings one each."
    if plan.machine.source:
        yield f"Machine: {plan.machine.source}."
    yield "A training step costs three forward passes; the multiply-adds are counted by formula."
    yield "Stages follow one another; Snakemake overlaps some, so the total is an upper bound."
    yield "Threads of a job as in workflow/rules; every video gives one clip, none is rejected."
    for name, seen in plan.work.footage.items():
        yield (
            f"{name}: {seen.total:,.0f} videos of {seen.frames:.0f} frames,"
            f" {seen.megapixels:.2f} megapixels, {seen.gigabytes:.3g} GB ({seen.basis})."
        )


def _row(stage: StagePlan, plan: Forecast) -> tuple[str, ...]:
    return (
        stage.stage, f"{len(stage.jobs):,}", clock(stage.seconds), hours(stage.cpu),
        hours(stage.gpu) if stage.gpu else "", size(stage.stored), size(stage.fetched),
        stage.limit, _compared(stage.stage, plan),
    )  # fmt: skip


def _sum(plan: Forecast) -> tuple[str, ...]:
    every = plan.stages
    gpu = hours(sum(s.gpu for s in every)) if plan.machine.gpus else ""
    return (
        "total", f"{sum(len(s.jobs) for s in every):,}", clock(total(every)),
        hours(sum(s.cpu for s in every)), gpu, size(sum(s.stored for s in every)),
        size(sum(s.fetched for s in every)), "", "",
    )  # fmt: skip


def _figures(stage: StagePlan, plan: Forecast) -> dict[str, Any]:
    slowest = max(stage.jobs, key=lambda job: job.seconds)
    figures = {
        "jobs": len(stage.jobs), "seconds": stage.seconds, "cpu_seconds": stage.cpu,
        "gpu_seconds": stage.gpu, "disk_bytes": stage.stored, "network_bytes": stage.fetched,
        "limit": stage.limit, "clips": sum(job.job.clips for job in stage.jobs),
        "flop": 2 * sum(job.job.multiply_adds for job in stage.jobs),
    }  # fmt: skip
    if slowest.eat:
        figures |= {"clips_per_second": {"model": slowest.eat, "loaders": slowest.feed,
                                         "all_cpus": slowest.all_cpus}}  # fmt: skip
    if stage.stage in plan.measured:
        cpu, planned = plan.measured[stage.stage]
        figures |= {"measured_cpu_seconds": cpu, "planned_for_them": planned}
    return figures


def _compared(stage: str, plan: Forecast) -> str:
    """Planned and measured CPU seconds of the jobs that were measured."""
    if stage not in plan.measured:
        return ""
    cpu, planned = plan.measured[stage]
    return f"{cpu:,.0f} CPU s, planned {planned:,.0f}"


def clock(seconds: float) -> str:
    """Days, hours and minutes, or minutes and seconds of what is short."""
    if seconds < HOUR:
        return f"{seconds / 60:.0f} min" if seconds > 600 else f"{seconds:.0f} s"
    if seconds < DAY:
        return f"{seconds / HOUR:.1f} h"
    return f"{seconds / DAY:.1f} days"


def hours(seconds: float) -> str:
    """Hours, with as many digits as tell something."""
    value = seconds / HOUR
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


def size(count: float) -> str:
    """Bytes in GB or TB; nothing where there are none."""
    if not count:
        return ""
    return f"{count / 1e12:.2f} TB" if count >= 1e12 else f"{count / 1e9:,.2f} GB"


def _aligned(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.ljust(width) if number in {0, 7} else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()
