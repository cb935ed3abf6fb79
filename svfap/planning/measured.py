"""What a run of the same configuration took, by the files of Snakemake's `benchmark:`.

Snakemake looks at a job every half minute once it is a few seconds old, so the CPU time of a short
job is what it had used when it was last looked at, and processes that come and go in between, such
as the encoder of rendered videos, are not seen: downloads are compared, but never corrected by.
"""

import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from svfap.errors import SvfapError
from svfap.planning.estimate import estimate
from svfap.planning.job import Job
from svfap.planning.machines import Machine
from svfap.planning.rates import Rates
from svfap.planning.workload import Workload

ONE_CPU = Machine("one CPU", 1, 1, 0, 0, 1e9, "")
Compared = dict[str, tuple[float, float]]


def correct(rates: Rates, results: Path, work: Workload) -> tuple[Rates, Compared]:
    """Rates with a factor for each stage, and its CPU seconds measured and planned without it.

    Args:
        rates: the rates to correct.
        results: the folder of results of a run of the same configuration.
        work: the jobs of that configuration.

    Raises:
        SvfapError: no job of the configuration has been measured there.
    """
    seconds: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for job in work.jobs:
        for cpu in _measured(results / "benchmarks", job):
            seconds[job.stage].append((cpu, estimate(job, ONE_CPU, rates, share=1).cpu))
    if not seconds:
        raise SvfapError(
            f"{results}: no job of this configuration was measured there; --results wants the"
            " folder `results` of one of its runs"
        )
    compared = {
        stage: (sum(cpu for cpu, _ in pairs), sum(planned for _, planned in pairs))
        for stage, pairs in seconds.items()
    }
    factors = {
        stage: cpu / planned for stage, (cpu, planned) in compared.items() if stage != "download"
    }
    return replace(rates, corrections=factors), compared


def _measured(folder: Path, job: Job) -> Iterator[float]:
    """CPU seconds of a job, if it was measured."""
    path = folder / f"{job.place}.tsv"
    if not path.is_file():
        return
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if row.get("cpu_time", "NA") != "NA":
                yield float(row["cpu_time"])
