"""Jobs on a machine: seconds of each, what bounds it, and how long each stage takes."""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from svfap.experiment.stage_list import STAGE_NAMES
from svfap.planning.job import Job
from svfap.planning.machines import Machine
from svfap.planning.rates import Rates
from svfap.planning.workload import Workload


@dataclass(frozen=True)
class Estimate:
    """What a job takes.

    Attributes:
        job: the job.
        seconds: from beginning to end.
        cpu: CPU seconds.
        gpu: GPU seconds.
        feed: clips a second that its loaders can give; 0 where nothing is loaded.
        eat: clips a second that the model could take; 0 where there is none.
        all_cpus: clips a second that all CPUs of the machine together could load.
    """

    job: Job
    seconds: float
    cpu: float
    gpu: float = 0
    feed: float = 0
    eat: float = 0
    all_cpus: float = 0

    @property
    def limit(self) -> str:
        """What bounds the job."""
        if not self.eat:
            transferred = self.seconds > 2 * self.cpu
            return "network" if transferred else "CPUs"
        return "loading" if self.feed < self.eat else "steps"


@dataclass(frozen=True)
class StagePlan:
    """What a stage takes: all its jobs, as many at once as the machine holds."""

    stage: str
    jobs: tuple[Estimate, ...]
    seconds: float

    @property
    def cpu(self) -> float:
        """CPU seconds."""
        return sum(job.cpu for job in self.jobs)

    @property
    def gpu(self) -> float:
        """GPU seconds."""
        return sum(job.gpu for job in self.jobs)

    @property
    def limit(self) -> str:
        """What bounds its longest job."""
        return max(self.jobs, key=lambda job: job.seconds).limit

    @property
    def stored(self) -> float:
        """Bytes on disk."""
        return sum(job.job.stored for job in self.jobs)

    @property
    def fetched(self) -> float:
        """Bytes over the network."""
        return sum(job.job.fetched for job in self.jobs)


def stages(work: Workload, machine: Machine, rates: Rates, *, share: float) -> list[StagePlan]:
    """Every stage; `share` of the GPUs' peak is reached."""
    plans = []
    for stage in STAGE_NAMES:
        given = (replace(j, workers=j.loaders(machine.cpus, machine.gpus)) for j in work.of(stage))
        jobs = [estimate(job, machine, rates, share=share) for job in given]
        if jobs:
            lanes = _lanes(jobs[0].job, machine)
            plans.append(StagePlan(stage, tuple(jobs), _makespan([j.seconds for j in jobs], lanes)))
    return plans


def estimate(job: Job, machine: Machine, rates: Rates, *, share: float) -> Estimate:
    """What a job takes on a machine."""
    factor = rates.corrections.get(job.stage, 1.0)
    fixed = rates.cpu(job.uses) * factor
    if job.stage == "download":
        transfer = job.fetched / (machine.network * 1e6)
        return Estimate(job, fixed / _cpus(job, machine) + transfer, fixed)
    if not job.clips:
        return Estimate(job, fixed, fixed)
    return _training(job, machine, rates, fixed=fixed, share=share)


def _training(job: Job, machine: Machine, rates: Rates, *, fixed: float, share: float) -> Estimate:
    """A job with a model: loaders and steps side by side, or in turns without loader processes."""
    factor = rates.corrections.get(job.stage, 1.0)
    cpus, gpus = _cpus(job, machine), _gpus(job, machine)
    processes, workers = max(1, gpus), job.loaders(machine.cpus, machine.gpus)
    load = job.loads * rates.seconds[f"load {job.stage}"] * factor
    feeders = min(max(1, workers) * processes, machine.cpus)
    if gpus:
        step = 2 * job.multiply_adds / (gpus * machine.tflops * 1e12 * share)
        busy = step * gpus
    else:
        busy = job.multiply_adds / 1e9 * rates.seconds[f"step {job.stage}"] * factor
        step = busy / max(1, cpus - workers)
    loading = load / feeders
    running = max(step, loading) if workers else step + loading
    return Estimate(
        job,
        seconds=fixed + running,
        cpu=fixed + load + busy,
        gpu=gpus * (fixed + running),
        feed=job.clips / loading,
        eat=job.clips / step,
        all_cpus=job.clips / load * machine.cpus,
    )


def _cpus(job: Job, machine: Machine) -> int:
    return min(job.threads, machine.cpus)


def _gpus(job: Job, machine: Machine) -> int:
    """Pre-training takes all GPUs of a machine, every other job one."""
    if job.stage == "pretrain" or not machine.gpus:
        return machine.gpus
    return 1 if job.trains else 0


def _lanes(job: Job, machine: Machine) -> int:
    """How many such jobs run at once."""
    lanes = machine.cpus // _cpus(job, machine)
    gpus = _gpus(job, machine)
    return machine.nodes * max(1, min(lanes, machine.gpus // gpus) if gpus else lanes)


def _makespan(seconds: Iterable[float], lanes: int) -> float:
    """Time until all jobs are done, the longest begun first."""
    free = [0.0] * lanes
    for job in sorted(seconds, reverse=True):
        heapq.heapreplace(free, free[0] + job)
    return max(free)


def total(plans: Sequence[StagePlan]) -> float:
    """Seconds of all stages, one after another."""
    return sum(plan.seconds for plan in plans)
