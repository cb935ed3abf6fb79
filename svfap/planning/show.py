"""The forecast as a table with its assumptions, for people, and as JSON, for programs."""

from collections.abc import Callable, Iterator

from pydantic import Field

from svfap.config.section import Section
from svfap.experiment.resolve import Experiment
from svfap.planning.cloud import Charge, table
from svfap.planning.estimate import Assumptions, Estimate, add_up
from svfap.planning.machines import Machine
from svfap.planning.workload import Job, Videos

HOUR, DAY = 3600, 86_400
LEFT_ALIGNED = ("stage", "limit")


class Forecast(Section):
    """The forecast of an experiment in seconds, bytes and clips per second."""

    machine: Machine
    seconds: float
    stages: dict[str, Estimate]
    bottlenecks: list[str]
    warnings: list[str]
    charges: list[Charge] = Field(default=[], description="prices, with --cloud")
    assumptions: list[str]

    def as_text(self) -> str:
        """Return the table, the bottlenecks and the assumptions."""
        based_on = ["Assumptions", *(f"- {line}" for line in self.assumptions)]
        warned = [f"Warning: {line}" for line in self.warnings]
        parts = [
            *([self.machine.text], _table(self.stages), self.bottlenecks, warned),
            *(table(self.charges), based_on),
        ]
        return "\n\n".join("\n".join(part) for part in parts if part)


def bottlenecks(stages: dict[str, Estimate], *, keep: bool) -> Iterator[str]:
    """Yield the stage that takes longest, and the limit and GPU memory of each training.

    Args:
        stages: name -> estimate.
        keep: whether face clips stay on the disk, the key `crop.keep`.
    """
    longest = max(stages, key=lambda name: stages[name].seconds)
    total = sum(stage.seconds for stage in stages.values())
    yield f"Bottleneck: {longest}, {stages[longest].seconds / total:.0%} of the time."
    clips = _size(stages["crop"].disk_bytes)
    if clips and keep:
        yield f"crop: `crop.keep: false` would free {clips} once the face clips are in shards."
    elif clips:
        yield f"crop: the {clips} of face clips are deleted once they are in shards."
    for name, stage in stages.items():
        pace, memory = stage.clips_per_second, stage.gpu_memory_bytes
        if pace and name != "evaluate":  # evaluation has no loader processes to add
            more = pace["all_cpus"] > 1.2 * pace["loaders"]
            advice = "; raise machine.workers" if more else "; add CPUs"
            yield (
                f"{name}: the model can take {_pace(pace['model'])}, loading gives"
                f" {_pace(pace['loaders'])}, on all CPUs {_pace(pace['all_cpus'])}: limited by"
                f" {stage.limit}{advice if stage.limit == 'loading' else ''}."
            )
        if memory:
            yield (
                f"{name}: needs about {memory / 1e9:,.1f} GB of memory on each GPU (estimate); a"
                f" smaller machine.device_batch lowers it."
            )


def warnings(experiment: Experiment, videos: Videos) -> Iterator[str]:
    """Yield the datasets whose clips are shorter than the frames that the model looks at."""
    count = experiment.config.model.num_frames
    for name, (stage, stride, fitting) in strides_too_long(experiment, videos).items():
        yield (
            f"{name}: {count} frames with stride {stride} span {(count - 1) * stride + 1} frames,"
            f" but its clips have {videos[name].frames:.0f} on average; shorter clips repeat their"
            f" last frame. Set {stage}.stride: {fitting}."
        )


def strides_too_long(experiment: Experiment, videos: Videos) -> dict[str, tuple[str, int, int]]:
    """Return dataset -> stage, stride, and the longest stride that its clips allow."""
    config = experiment.config
    pretrain = config.pretrain
    found: dict[str, tuple[str, int, int]] = {}
    for name, facts in videos.items():
        steps = config.model.num_frames - 1
        fitting = max(1, int((facts.frames - 1) // steps))
        if name in pretrain.datasets and pretrain.stride > fitting:
            found[name] = "pretrain", pretrain.stride, fitting
        if name in experiment.labelled:
            section = experiment.finetune_section(name)
            stride = section.finetune.stride or section.stride
            if stride > fitting:
                found[name] = "finetune", stride, fitting
    return found


def assumptions(given: Assumptions, jobs: list[Job], videos: Videos) -> Iterator[str]:
    """Yield the assumptions that the figures are based on."""
    yield f"Rates: {given.rates.source}; a CPU of the machine is as fast, and jobs scale with CPUs."
    if given.machine.gpus:
        yield f"GPUs reach {given.share:.0%} of their peak in training (like an H200; --gpu-share)."
        yield "Pre-training uses all GPUs of one machine, other trainings one each."
        yield (
            "GPU memory: 18 bytes per parameter (22 with optim.ema), and the activations of"
            " machine.device_batch clips in bfloat16 without machine.compile."
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


def _table(stages: dict[str, Estimate]) -> list[str]:
    """Return the lines of the table, without the columns that are empty."""
    rows = [*stages.values(), add_up(stages.values())]
    columns = {"stage": [*stages, "total"]} | {
        heading: [cell(row) for row in rows] for heading, cell in COLUMNS.items()
    }
    shown = []
    for heading, cells in columns.items():
        if any(cells):
            width = max(map(len, (heading, *cells)))
            side = "<" if heading in LEFT_ALIGNED else ">"
            shown.append([f"{cell:{side}{width}}" for cell in (heading, *cells)])
    return ["  ".join(line).rstrip() for line in zip(*shown, strict=True)]


def _measured(stage: Estimate) -> str:
    took = stage.measured_cpu_seconds
    return "" if took is None else f"{took:,.0f} CPU s, planned {stage.planned_for_them:,.0f}"


def clock(seconds: float) -> str:
    """Return a time in the unit that suits it."""
    if seconds < HOUR:
        return f"{seconds / 60:.0f} min" if seconds > 600 else f"{seconds:.0f} s"
    return f"{seconds / HOUR:.1f} h" if seconds < DAY else f"{seconds / DAY:.1f} days"


def _hours(seconds: float) -> str:
    hours = seconds / HOUR
    return "" if not hours else f"{hours:,.0f}" if hours >= 100 else f"{hours:.2g}"


def _pace(clips: float) -> str:
    """Format clips per second; a small number has two digits, so it never shows as 0."""
    return f"{clips:,.0f} clips/s" if clips >= 10 else f"{clips:.2g} clips/s"


def _size(count: float) -> str:
    if count >= 1e12:
        return f"{count / 1e12:.2f} TB"
    return f"{count / 1e9:,.2f} GB" if count else ""


COLUMNS: dict[str, Callable[[Estimate], str]] = {
    "jobs": lambda row: f"{row.jobs:,}",
    "time": lambda row: clock(row.seconds),
    "CPU hours": lambda row: _hours(row.cpu_seconds),
    "GPU hours": lambda row: _hours(row.gpu_seconds),
    "disk": lambda row: _size(row.disk_bytes),
    "network": lambda row: _size(row.network_bytes),
    "limit": lambda row: row.limit,
    "measured": _measured,
}
