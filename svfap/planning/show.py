"""The forecast as a table with its assumptions, for people, and as JSON, for programs."""

from collections.abc import Callable, Iterable, Iterator

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
        table = _table(self.stages)
        parts = [self.machine.text], table, self.bottlenecks, ["Assumptions", *assumptions]
        return "\n\n".join("\n".join(part) for part in parts)


def bottlenecks(stages: dict[str, StageForecast]) -> Iterator[str]:
    """Yield the stage that takes longest, and the limit and GPU memory of each training."""
    longest = max(stages, key=lambda name: stages[name].seconds)
    total = sum(stage.seconds for stage in stages.values())
    yield f"Bottleneck: {longest}, {stages[longest].seconds / total:.0%} of the time."
    for name, stage in stages.items():
        pace, memory = stage.clips_per_second, stage.gpu_memory_bytes
        if pace and name != "evaluate":  # which has no loader processes to add
            advice = ""
            if stage.limit == "loading":
                more = pace["all_cpus"] > 1.2 * pace["loaders"]
                advice = f"; raise {name}.optim.workers" if more else "; add CPUs"
            yield (
                f"{name}: the model can take {_pace(pace['model'])}, loading gives"
                f" {_pace(pace['loaders'])}, on all CPUs {_pace(pace['all_cpus'])}: limited by"
                f" {stage.limit}{advice}."
            )
        if memory:
            yield (
                f"{name}: needs about {memory / 1e9:,.1f} GB of memory on each GPU (estimate); a"
                f" smaller {name}.optim.device_batch lowers it."
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


def _table(stages: dict[str, StageForecast]) -> list[str]:
    """Return the lines of the table, without the columns that are empty."""
    rows = [
        _row(name, [stage]) | {"limit": stage.limit, "measured": _measured(stage)}
        for name, stage in stages.items()
    ]
    rows.append(_row("total", stages.values()) | {"limit": "", "measured": ""})
    columns = [name for name in rows[0] if any(row[name] for row in rows)]
    widths = {name: max(len(name), *(len(row[name]) for row in rows)) for name in columns}
    lines = (
        [
            row[name].ljust(width) if name in LEFT_ALIGNED else row[name].rjust(width)
            for name, width in widths.items()
        ]
        for row in [{name: name for name in columns}, *rows]
    )
    return ["  ".join(line).rstrip() for line in lines]


def _row(name: str, stages: Iterable[StageForecast]) -> dict[str, str]:
    """Return the sums over some stages, by column."""
    stages = list(stages)
    sums = {
        heading: form(sum(getattr(stage, figure) for stage in stages))
        for heading, (figure, form) in SUMS.items()
    }
    return {"stage": name} | sums


def _measured(stage: StageForecast) -> str:
    if stage.measured_cpu_seconds is None:
        return ""
    return f"{stage.measured_cpu_seconds:,.0f} CPU s, planned {stage.planned_for_them:,.0f}"


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
    if count >= 1e12:
        return f"{count / 1e12:.2f} TB"
    return f"{count / 1e9:,.2f} GB" if count else ""


SUMS: dict[str, tuple[str, Callable[[float], str]]] = {  # column -> figure, format
    "jobs": ("jobs", "{:,}".format),
    "time": ("seconds", _clock),
    "CPU hours": ("cpu_seconds", _hours),
    "GPU hours": ("gpu_seconds", _hours),
    "disk": ("disk_bytes", _size),
    "network": ("network_bytes", _size),
}
