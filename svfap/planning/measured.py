"""Rates from the records of a run: its CPU seconds, and the time that its trainings waited."""

from collections.abc import Sequence
from dataclasses import replace
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
    compared, seconds = {}, dict(given.rates.seconds)
    records = [(job, events) for job in jobs if (events := _measured(job))]
    for stage in STAGE_NAMES:
        these = [(job, events) for job, events in records if job.stage == stage]
        if not these:
            continue
        took = sum(cpu_seconds_of(events) for _, events in these)
        planned = sum(estimate(job, given).cpu_seconds for job, _ in these)
        compared[stage] = took, planned
        scaled = {unit: rate * took / planned for unit, rate in seconds[stage].items()}
        seconds[stage] = _training_rates(given, these, took) or scaled
    if not compared:
        raise SvfapError(
            f"{results}: no job of this configuration has a record there; run the configuration, or"
            " give the `results` folder of one of its runs with --results"
        )
    source = f"records in {results} ({', '.join(compared)}), else {given.rates.source}"
    rates = given.rates.model_copy(update={"seconds": seconds, "source": source})
    return replace(given, rates=rates, measured=compared)


def _measured(job: Job) -> Sequence[Event]:
    """Return the events of a job that has been measured; none for another."""
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
    learning = loaded = products = 0.0
    for job, events in records:
        threads = gpus or max(1, given.cpus(job) - given.loaders(job))
        learning += computing_seconds(events) * threads
        loaded += job.work.get(LOADED, 0)
        products += job.work.get(PRODUCTS, 0)
    loading = took - rates[JOB] * len(records) - learning
    if min(learning, loading) <= 0:
        return None
    step = {} if gpus else {PRODUCTS: learning / products}
    return rates | {LOADED: loading / loaded} | step


def computing_seconds(events: Sequence[Event]) -> float:
    """Return the seconds of a training in which it did not wait for clips.

    `data_share` is the share of waiting since the previous point of the curve. The first point of
    each attempt has none before it and is left out.
    """
    seconds, previous = 0.0, None
    for event in events:
        metrics = event.get("metrics", {})
        if event["event"] == "start":
            previous = None
        elif "data_share" in metrics and "time" in event:
            if previous is not None:
                seconds += (event["time"] - previous) * (1 - metrics["data_share"])
            previous = event["time"]
    return seconds
