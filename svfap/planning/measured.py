"""What a run of the same configuration took, by the records of its stages."""

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from svfap.errors import SvfapError
from svfap.planning.estimate import estimate
from svfap.planning.job import Job
from svfap.planning.machines import Machine
from svfap.planning.rates import Rates
from svfap.planning.workload import Workload
from svfap.tracking.record import RECORD, read_record
from svfap.tracking.stage_run import cpu_seconds_of

ONE_CPU = Machine("one CPU", 1, 1, 0, 0, 1e9, "")
FOLDERS = {"download": "raw", "crop": "crops", "shard": "shards"}  # of the data
Compared = dict[str, tuple[float, float]]


def correct(rates: Rates, results: Path, data: Path, work: Workload) -> tuple[Rates, Compared]:
    """Rates with a factor for each stage, and its CPU seconds measured and planned without it.

    Args:
        rates: the rates to correct.
        results: the folder of results of a run of the same configuration.
        data: the folder of its data, where that is still there.
        work: the jobs of that configuration.

    Raises:
        SvfapError: no job of the configuration has been measured there.
    """
    compared: dict[str, tuple[float, float]] = defaultdict(lambda: (0.0, 0.0))
    for job in work.jobs:
        took = _measured(job, results, data)
        if took:
            before = compared[job.stage]
            planned = estimate(job, ONE_CPU, rates, share=1).cpu
            compared[job.stage] = before[0] + took, before[1] + planned
    if not compared:
        raise SvfapError(
            f"{results}: no job of this configuration was measured there; --results wants the"
            " folder `results` of one of its runs"
        )
    factors = {stage: cpu / planned for stage, (cpu, planned) in compared.items()}
    return replace(rates, corrections=factors), dict(compared)


def _measured(job: Job, results: Path, data: Path) -> float:
    """CPU seconds of a job, over all its attempts; 0 where none is recorded."""
    first, _, rest = job.place.partition("/")
    folder = data / FOLDERS[first] / rest if first in FOLDERS else results / job.place
    events = read_record(folder / RECORD)
    if not any(e["event"] == "start" and e["stage"] == job.stage for e in events):
        return 0.0
    return cpu_seconds_of(events)
