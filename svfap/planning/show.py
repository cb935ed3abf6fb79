"""The forecast as a table with its assumptions, for people, and as JSON, for programs."""

from collections.abc import Iterator

from svfap.config.section import Section
from svfap.planning.estimate import Assumptions, StageForecast
from svfap.planning.machines import Machine
from svfap.planning.workload import Job, Videos

HOUR, DAY = 3600, 86_400
LEFT_ALIGNED = ("stage", "limit")


class Forecast(Section):
    """The forecast of an experiment in seconds, bytes and clips per second."""

    machine: Machine
    seconds: float
    stages: dict[str, StageForecast]
    bottlenecks: list[str]
    assumptions: list[str]

    def as_json(self) -> str:
        """Return all figures."""
        return self.model_dump_json(indent=1, exclude_none=True)

    def as_text(self) -> str:
        """Return the table, the bottlenecks and the assumptions."""
        assumptions = [f"- {line}" for line in self.assumptions]
        table = _aligned(
            [_row(name, stage) for name, stage in self.stages.items()] + [_total(self)]
        )
        parts = [self.machine.text], table, self.bottlenecks, ["Assumptions", *assumptions]
        return "\n\n".join("\n".join(part) for part in parts)


def bottlenecks(stages: dict[str, StageForecast]) -> Iterator[str]:
    """Yield the stage that takes longest, and the limit and GPU memory of each training."""
    longest = max(stages, key=lambda name: stages[name].seconds)
    total = sum(stage.seconds for stage in stages.values())
    yield f"Bottleneck: {longest}, {stages[longest].seconds / total:.0%} of the time."
    for name in ("pretrain", "finetune"):
        if name in stages and (pace := stages[name].clips_per_second):
            advice = ""
            if stages[name].limit == "loading":
                more = pace["all_cpus"] > 1.2 * pace["loaders"]
                advice = f"; raise {name}.optim.workers" if more else "; add CPUs"
            yield (
                f"{name}: the model takes {_pace(pace['model'])}, its loaders can load"
                f" {_pace(pace['loaders'])}, all CPUs {_pace(pace['all_cpus'])}: limited by the"
                f" {stages[name].limit}{advice}."
            )
        if name in stages and (memory := stages[name].gpu_memory_bytes):
            yield (
                f"{name}: needs about {_size(memory)} of memory on each GPU (estimate); a smaller"
                f" {name}.optim.device_batch lowers it."
            )


def assumptions(given: Assumptions, jobs: list[Job], videos: Videos) -> Iterator[str]:
    """Yield what the figures are based on."""
    yield f"Rates: {given.rates.source}; a CPU of the machine is as fast, and jobs scale with CPUs."
    if given.machine.gpus:
        yield f"GPUs reach {given.share:.0%} of their peak in training (assumed; --gpu-share)."
        yield "Pre-training uses all GPUs of one machine, other trainings one each."
        yield (
            "GPU memory: 18 bytes per parameter (22 with optim.ema), and the activations of"
            " optim.device_batch clips in bfloat16 without optim.compile."
        )
    if given.machine.source:
        yield f"Machine: {given.machine.source}."
    yield "A training step costs three forward passes; the multiply-adds are counted by formula."
    yield "Stages follow one another; Snakemake overlaps some, so the total is an upper bound."
    yield "Threads of a job as in workflow/rules; every video gives one clip, none is rejected."
    if done := [job.output.parent.name for job in jobs if job.done]:
        yield f"Downloads that are done and not counted: {', '.join(done)}."
    for name, facts in videos.items():
        yield (
            f"{name}: {facts.total:,.0f} videos of {facts.frames:.0f} frames,"
            f" {facts.megapixels:.2f} megapixels, {facts.gigabytes:.3g} GB ({facts.basis})."
        )


def _row(name: str, stage: StageForecast) -> dict[str, str]:
    """Return a row of the table, by column."""
    measured = ""
    if stage.measured_cpu_seconds is not None:
        measured = f"{stage.measured_cpu_seconds:,.0f} CPU s, planned {stage.planned_for_them:,.0f}"
    return {
        "stage": name,
        "jobs": f"{stage.jobs:,}",
        "time": _clock(stage.seconds),
        "CPU hours": _hours(stage.cpu_seconds),
        "GPU hours": _hours(stage.gpu_seconds),
        "disk": _size(stage.disk_bytes),
        "network": _size(stage.network_bytes),
        "limit": stage.limit,
        "measured": measured,
    }


def _total(forecast: Forecast) -> dict[str, str]:
    """Return the last row of the table."""
    names = ("jobs", "cpu_seconds", "gpu_seconds", "disk_bytes", "network_bytes", "clips", "flop")
    stages = forecast.stages.values()
    sums = {name: sum(getattr(stage, name) for stage in stages) for name in names}
    return _row("total", StageForecast(seconds=forecast.seconds, limit="", **sums))


def _aligned(rows: list[dict[str, str]]) -> list[str]:
    """Return the lines of a table, without the columns that are empty."""
    columns = [name for name in rows[0] if any(row[name] for row in rows)]
    widths = {name: max(len(name), *(len(row[name]) for row in rows)) for name in columns}
    return [
        "  ".join(
            row[name].ljust(width) if name in LEFT_ALIGNED else row[name].rjust(width)
            for name, width in widths.items()
        ).rstrip()
        for row in [{name: name for name in columns}, *rows]
    ]


def _clock(seconds: float) -> str:
    if seconds < HOUR:
        return f"{seconds / 60:.0f} min" if seconds > 600 else f"{seconds:.0f} s"
    return f"{seconds / HOUR:.1f} h" if seconds < DAY else f"{seconds / DAY:.1f} days"


def _hours(seconds: float) -> str:
    hours = seconds / HOUR
    return "" if not hours else f"{hours:,.0f}" if hours >= 100 else f"{hours:.2g}"


def _pace(clips: float) -> str:
    """Format clips per second, with two digits if there are few: never as 0."""
    return f"{clips:,.0f} clips/s" if clips >= 10 else f"{clips:.2g} clips/s"


def _size(count: float) -> str:
    gigabytes = count / 1e9
    return (
        ""
        if not count
        else f"{gigabytes / 1e3:.2f} TB"
        if gigabytes >= 1e3
        else f"{gigabytes:,.2f} GB"
    )
