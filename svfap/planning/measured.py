"""Derive rates from the records of a run: CPU seconds, and the time that trainings waited."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from svfap.errors import SvfapError
from svfap.experiment.stage_list import STAGE_NAMES
from svfap.planning.estimate import Assumptions, estimate
from svfap.planning.rates import JOB, LOADED, PRODUCTS
from svfap.planning.workload import Job
from svfap.tracking.record import Event, read_record
from svfap.tracking.stage_run import cpu_seconds_of

Recorded = list[tuple[Job, Sequence[Event]]]


def with_measured_rates(given: Assumptions, jobs: Sequence[Job], results: Path) -> Assumptions:
    """Return assumptions with the rates of a recorded run.

    Args:
        given: the rates of stages without a record, and the machine that the run used.
        jobs: the jobs of the configuration; their records are beside their outputs.
        results: the folder of results, for messages.

    Raises:
        SvfapError: no job of the configuration has a record.
    """
    measured, seconds = {}, dict(given.rates.seconds)
    for stage in STAGE_NAMES:
        records = [(j, events) for j in jobs if j.stage == stage and (events := _measured(j))]
        if records:
            took = sum(cpu_seconds_of(events) for _, events in records)
            planned = sum(estimate(job, given).cpu_seconds for job, _ in records)
            measured[stage] = {"measured_cpu_seconds": took, "planned_for_them": planned}
            scaled = {unit: rate * took / planned for unit, rate in seconds[stage].items()}
            seconds[stage] = _training_rates(given, records, took) or scaled
    if not measured:
        raise SvfapError(
            f"{results}: no job of this configuration has a record there; run the configuration, or"
            " give the `results` folder of one of its runs with --results"
        )
    source = f"records in {results} ({', '.join(measured)}), else {given.rates.source}"
    rates = given.rates.model_copy(update={"seconds": seconds, "source": source})
    return given.model_copy(update={"rates": rates, "measured": measured})


def _measured(job: Job) -> Sequence[Event]:
    """Return the events of a job that has been measured; none for any other job."""
    events = read_record(job.output)
    # Stages cost and tabulate write to one folder, where the later one's record replaces the other.
    started = any(event["event"] == "start" and event["stage"] == job.stage for event in events)
    return events if started and cpu_seconds_of(events) else []


def _training_rates(given: Assumptions, records: Recorded, took: float) -> dict[str, float] | None:
    """Split the CPU seconds of trainings into loading and learning.

    The training process computes on all its threads while it does not wait for clips. The CPU
    seconds that are left, without the start of each job, are the loaders'.

    Returns:
        The rates, or None if the records do not allow it: they have no points of a curve, or the
        run was made on a machine with fewer CPUs.
    """
    rates, gpus = given.rates.seconds[records[0][0].stage], given.gpus(records[0][0])
    learning = 0.0
    for job, events in records:
        threads = gpus or max(1, given.cpus(job) - given.loaders(job))
        learning += _computing_seconds(events) * threads
    loading = took - rates[JOB] * len(records) - learning
    if min(learning, loading) <= 0:
        return None
    amounts = {unit: sum(job.work[unit] for job, _ in records) for unit in (LOADED, PRODUCTS)}
    step = {} if gpus else {PRODUCTS: learning / amounts[PRODUCTS]}
    return rates | {LOADED: loading / amounts[LOADED]} | step


def _computing_seconds(events: Sequence[Event]) -> float:
    """Return the seconds of a training in which it did not wait for clips.

    `data_share` is the share of waiting since the previous point of the curve. The first point of
    each attempt has no point before it and is left out.
    """
    marks = [e for e in events if e["event"] == "start" or "data_share" in e.get("metrics", {})]
    working: list[float] = [
        (point["time"] - before["time"]) * (1 - point["metrics"]["data_share"])
        for before, point in pairwise(marks)
        if before["event"] == point["event"] == "metrics"
    ]
    return sum(working)
