"""Estimate the seconds and the limit of each job on a machine, and the figures of each stage."""

import heapq
from collections.abc import Iterable, Sequence

from pydantic import Field

from svfap.config.section import Section
from svfap.experiment.stage_list import STAGE_NAMES, THREADS
from svfap.planning.machines import Machine
from svfap.planning.rates import JOB, LOADED, PRODUCTS, Rates
from svfap.planning.workload import Job

# GPU memory of a parameter in training: weight, gradient and AdamW's two moments in float32, and
# the copy that autocast makes in bfloat16. Averaged weights are one more float32.
TRAINED_BYTES, AVERAGED_BYTES = 18, 4


class Assumptions(Section):
    """The machine, rates and settings that an estimate is based on."""

    machine: Machine = Field(description="the machine that runs the jobs")
    rates: Rates = Field(description="the speed of its CPUs")
    share: float = Field(default=1, description="share of its GPUs' peak that a training reaches")
    workers: int | None = Field(
        default=None, description="loader processes of each training process; None: as configured"
    )
    measured: dict[str, dict[str, float]] = Field(
        default={}, description="stage -> figures of an `Estimate` that its records give"
    )

    def loaders(self, job: Job) -> int:
        """Return the loader processes of each training process of a job."""
        if job.optim is None:
            return 0
        workers = job.machine.workers if self.workers is None else self.workers
        if workers is None:  # as in svfap.training.loader, spare CPUs load for a GPU
            return max(1, self.machine.cpus // self.machine.gpus - 1) if self.machine.gpus else 0
        return workers

    def cpus(self, job: Job) -> int:
        """Return the CPUs of a job."""
        return min(job.machine.threads or THREADS[job.stage], self.machine.cpus)

    def gpus(self, job: Job) -> int:
        """Return the GPUs of a job: pre-training uses all of a machine, other models one."""
        most = self.machine.gpus if job.stage == "pretrain" else min(1, self.machine.gpus)
        return most if job.clips else 0


class Estimate(Section):
    """The figures of a job, or of several together; None where they do not apply.

    `clips_per_second` is the pace of the "model", of its "loaders" and of loaders on "all_cpus". In
    the figures of a stage, `clips_per_second` and `limit` describe the slowest job.
    `gpu_memory_bytes` is per GPU. `planned_for_them` are the CPU seconds that were planned for the
    measured jobs.
    """

    jobs: int
    seconds: float
    cpu_seconds: float
    gpu_seconds: float
    disk_bytes: float
    network_bytes: float
    limit: str = ""
    clips: float
    flop: float
    clips_per_second: dict[str, float] | None = None
    gpu_memory_bytes: float | None = None
    measured_cpu_seconds: float | None = None
    planned_for_them: float | None = None


def add_up(estimates: Iterable[Estimate]) -> Estimate:
    """Add up the figures of estimates that can be added: those that every estimate has."""
    each = list(estimates)
    names = [name for name, field in Estimate.model_fields.items() if field.is_required()]
    return Estimate.model_validate({n: sum(getattr(one, n) for one in each) for n in names})


def forecast_stages(jobs: Sequence[Job], given: Assumptions) -> dict[str, Estimate]:
    """Forecast every stage that has something to do."""
    todo = {stage: [j for j in jobs if j.stage == stage and not j.done] for stage in STAGE_NAMES}
    return {stage: _forecast(these, given) for stage, these in todo.items() if these}


def _forecast(jobs: Sequence[Job], given: Assumptions) -> Estimate:
    """Sum up the jobs of a stage; as many run at once as the machine can hold."""
    estimates = [estimate(job, given) for job in jobs]
    slowest = max(estimates, key=lambda each: each.seconds)
    parallel = given.machine.cpus // given.cpus(jobs[0])
    if gpus := given.gpus(jobs[0]):
        parallel = min(parallel, given.machine.gpus // gpus)
    together = {
        "seconds": _makespan((each.seconds for each in estimates), given.machine.nodes * parallel),
        "limit": slowest.limit,
        "clips_per_second": slowest.clips_per_second,
        "gpu_memory_bytes": max(each.gpu_memory_bytes or 0 for each in estimates) or None,
    }
    return add_up(estimates).model_copy(update=together | given.measured.get(jobs[0].stage, {}))


def estimate(job: Job, given: Assumptions) -> Estimate:
    """Estimate a job; loader processes work beside the steps, else loading and steps alternate."""
    machine, rates = given.machine, given.rates.seconds[job.stage]
    cpus, gpus, workers = given.cpus(job), given.gpus(job), given.loaders(job)
    flop, pace = 2e9 * job.work.get(PRODUCTS, 0), None
    if job.clips:
        load = job.work[LOADED] * rates[LOADED]
        loading = load / min(max(1, workers) * max(1, gpus), machine.cpus)
        if gpus:
            step = flop / (gpus * machine.tflops * 1e12 * given.share)
            computing = step * gpus  # each training process keeps a CPU busy
        else:
            computing = job.work[PRODUCTS] * rates[PRODUCTS]
            step = computing / max(1, cpus - workers)
        cpu_seconds = rates[JOB] + load + computing
        seconds = rates[JOB] + (max(step, loading) if workers else step + loading)
        limit = "loading" if loading > step else "steps"
        pace = {"model": job.clips / step, "loaders": job.clips / loading}
        pace["all_cpus"] = job.clips / load * machine.cpus
    else:
        cpu_seconds = sum(amount * rates[unit] for unit, amount in job.work.items())
        seconds = cpu_seconds / cpus + job.fetched / (machine.network * 1e6)
        limit = "network" if seconds > 2 * cpu_seconds else "CPUs"
    return Estimate(
        jobs=1,
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        gpu_seconds=seconds * gpus,
        disk_bytes=job.stored,
        network_bytes=job.fetched,
        limit=limit,
        clips=job.clips,
        flop=flop,
        clips_per_second=pace,
        gpu_memory_bytes=_gpu_memory(job, gpus),
    )


def _gpu_memory(job: Job, gpus: int) -> float | None:
    """Estimate the bytes that a training needs on each GPU; None without GPU or training."""
    if not gpus or job.optim is None:
        return None
    clips = job.machine.device_batch or -(-job.optim.batch_size // gpus)
    parameter = TRAINED_BYTES + AVERAGED_BYTES * (job.optim.ema is not None)
    return job.cost.parameters * parameter + clips * job.cost.activation_bytes


def _makespan(seconds: Iterable[float], lanes: int) -> float:
    """Return the time until all jobs are done if the longest start first."""
    busy_until = [0.0] * lanes
    for job in sorted(seconds, reverse=True):
        heapq.heapreplace(busy_until, busy_until[0] + job)
    return max(busy_until)
