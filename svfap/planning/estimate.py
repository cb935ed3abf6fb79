"""Seconds of each job on a machine, its limit, and the figures of each stage."""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from svfap.config.section import Section
from svfap.experiment.stage_list import STAGE_NAMES, THREADS
from svfap.planning.machines import Machine
from svfap.planning.rates import JOB, LOADED, PRODUCTS, Rates
from svfap.planning.workload import Job

# GPU memory of a parameter in training: weight, gradient and AdamW's two moments in float32, and
# the copy that autocast makes in bfloat16. Averaged weights are one more float32.
TRAINED_BYTES, AVERAGED_BYTES = 18, 4


@dataclass(frozen=True)
class Assumptions:
    """What an estimate is based on.

    Attributes:
        machine: the machine that runs the jobs.
        rates: the speed of its CPUs.
        share: share of its GPUs' peak that a training reaches.
        workers: loader processes of each training process; None for the configuration's.
        measured: stage -> CPU seconds that its recorded jobs took, and that were planned for them.
    """

    machine: Machine
    rates: Rates
    share: float = 1
    workers: int | None = None
    measured: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def loaders(self, job: Job) -> int:
        """Return the loader processes of each training process of a job."""
        if job.optim is None:
            return 0
        workers = job.optim.workers if self.workers is None else self.workers
        if workers is None:  # as svfap.training.loader: spare CPUs load for a GPU
            return max(1, self.machine.cpus // self.machine.gpus - 1) if self.machine.gpus else 0
        return workers

    def cpus(self, job: Job) -> int:
        """Return the CPUs of a job."""
        return min(THREADS[job.stage], self.machine.cpus)

    def gpus(self, job: Job) -> int:
        """Return the GPUs of a job: pre-training uses all of a machine, other models one."""
        most = self.machine.gpus if job.stage == "pretrain" else min(1, self.machine.gpus)
        return most if job.clips else 0


@dataclass(frozen=True)
class JobEstimate:
    """The time of a job.

    Attributes:
        seconds: from its start to its end.
        cpu_seconds: of all its processes.
        clips_per_second: pace of the "model", of its "loaders" and of loaders on "all_cpus"; empty
            without a model.
    """

    seconds: float
    cpu_seconds: float
    clips_per_second: dict[str, float] = field(default_factory=dict)

    @property
    def limit(self) -> str:
        """What limits the job."""
        if pace := self.clips_per_second:
            return "loading" if pace["loaders"] < pace["model"] else "steps"
        return "network" if self.seconds > 2 * self.cpu_seconds else "CPUs"


class StageForecast(Section):
    """The figures of a stage, all its jobs together; None where they do not apply.

    `clips_per_second` and `limit` describe its slowest job. `gpu_memory_bytes` is per GPU.
    `planned_for_them` are the CPU seconds that were planned for the measured jobs.
    """

    jobs: int
    seconds: float
    cpu_seconds: float
    gpu_seconds: float
    disk_bytes: float
    network_bytes: float
    limit: str
    clips: float
    flop: float
    clips_per_second: dict[str, float] | None = None
    gpu_memory_bytes: float | None = None
    measured_cpu_seconds: float | None = None
    planned_for_them: float | None = None


def forecast_stages(jobs: Sequence[Job], given: Assumptions) -> dict[str, StageForecast]:
    """Forecast every stage that has something to do."""
    todo = {stage: [j for j in jobs if j.stage == stage and not j.done] for stage in STAGE_NAMES}
    return {stage: _forecast(these, given) for stage, these in todo.items() if these}


def _forecast(jobs: Sequence[Job], given: Assumptions) -> StageForecast:
    """Sum up the jobs of a stage, as many at once as the machine can run."""
    estimates = [estimate(job, given) for job in jobs]
    slowest = max(estimates, key=lambda each: each.seconds)
    gpus, (took, planned) = given.gpus(jobs[0]), given.measured.get(jobs[0].stage, (None, None))
    parallel = given.machine.cpus // given.cpus(jobs[0])
    if gpus:
        parallel = max(1, min(parallel, given.machine.gpus // gpus))
    return StageForecast(
        jobs=len(jobs),
        seconds=_makespan((each.seconds for each in estimates), given.machine.nodes * parallel),
        cpu_seconds=sum(each.cpu_seconds for each in estimates),
        gpu_seconds=sum(each.seconds for each in estimates) * gpus,
        disk_bytes=sum(job.stored for job in jobs),
        network_bytes=sum(job.fetched for job in jobs),
        limit=slowest.limit,
        clips=sum(job.clips for job in jobs),
        flop=2e9 * sum(job.work.get(PRODUCTS, 0) for job in jobs),
        clips_per_second=slowest.clips_per_second or None,
        gpu_memory_bytes=max(gpu_memory(job, gpus) for job in jobs) or None,
        measured_cpu_seconds=took,
        planned_for_them=planned,
    )


def estimate(job: Job, given: Assumptions) -> JobEstimate:
    """Estimate the time of a job; loaders work beside the steps, or in turns without processes."""
    machine, rates = given.machine, given.rates.seconds[job.stage]
    cpus, gpus, workers = given.cpus(job), given.gpus(job), given.loaders(job)
    if not job.clips:
        cpu = sum(amount * rates[unit] for unit, amount in job.work.items())
        return JobEstimate(cpu / cpus + job.fetched / (machine.network * 1e6), cpu)
    load = job.work[LOADED] * rates[LOADED]
    if gpus:
        step = 2e9 * job.work[PRODUCTS] / (gpus * machine.tflops * 1e12 * given.share)
        computing = step * gpus  # each training process keeps a CPU busy
    else:
        computing = job.work[PRODUCTS] * rates[PRODUCTS]
        step = computing / max(1, cpus - workers)
    loading = load / min(max(1, workers) * max(1, gpus), machine.cpus)
    return JobEstimate(
        seconds=rates[JOB] + (max(step, loading) if workers else step + loading),
        cpu_seconds=rates[JOB] + load + computing,
        clips_per_second={
            "model": job.clips / step,
            "loaders": job.clips / loading,
            "all_cpus": job.clips / load * machine.cpus,
        },
    )


def gpu_memory(job: Job, gpus: int) -> float:
    """Estimate the bytes that a training needs on each GPU; 0 without GPU or training."""
    if not gpus or job.optim is None:
        return 0
    clips = job.optim.device_batch or -(-job.optim.batch_size // gpus)
    parameter = TRAINED_BYTES + AVERAGED_BYTES * (job.optim.ema is not None)
    return job.cost.parameters * parameter + clips * job.cost.activation_bytes


def _makespan(seconds: Iterable[float], lanes: int) -> float:
    """Return the time until all jobs are done if the longest start first."""
    busy_until = [0.0] * lanes
    for job in sorted(seconds, reverse=True):
        heapq.heapreplace(busy_until, busy_until[0] + job)
    return max(busy_until)
