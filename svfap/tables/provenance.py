"""The provenance of results: run times, memory, versions, and the MLflow page of each run."""

import os
import platform
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pandas as pd

from svfap import __version__
from svfap.experiment.layout import JOB_TIMES
from svfap.experiment.stage_list import STAGE_NAMES
from svfap.redact import redacted
from svfap.tables.render import Table
from svfap.tracking.record import read_record, records
from svfap.tracking.stage_run import cpu_seconds_of, git_commit

PACKAGES = (
    *("torch", "timm", "torchvision", "numpy", "opencv-python-headless", "av", "scikit-learn"),
    *("pandas", "snakemake", "mlflow"),
)
LOCAL_SERVER = "http://localhost:5000"  # the address of `make mlflow`
MB_PER_GB = 1024  # Snakemake's max_rss is in MB of 2**20 bytes


def provenance_tables(results: Path) -> list[Table]:
    """Return run times, versions and tracked runs of all results in a folder."""
    return [time_table(results), _version_table(), _run_table(results)]


def time_table(results: Path) -> Table:
    """Return a row per stage, from the files of Snakemake's `benchmark:`."""
    paths = sorted((results / "benchmarks").rglob("*.tsv"))
    rows = []
    for stage in STAGE_NAMES:
        pattern = JOB_TIMES[stage]
        own = [path for path in paths if pattern.parse(path, below=results) is not None]
        jobs = [job for job in (pd.read_csv(path, sep="\t") for path in own) if len(job)]
        if jobs:
            frame = pd.concat(jobs)
            # The value is "NA" if a job ended before Snakemake measured its memory.
            memory = pd.to_numeric(frame["max_rss"], errors="coerce").max() / MB_PER_GB
            seconds = frame["s"].astype(float)
            times = (_clock(seconds.sum()), _clock(seconds.max()))
            rows.append((stage, f"{len(jobs):,}", *times, f"{memory:.2f}"))
    columns = ("Stage", "Jobs", "Time, all", "Time, longest", "Memory (GB)")
    note = "Hours, minutes and seconds of the last time that each job ran; memory of the largest."
    return Table("Run times", columns, tuple(rows), "lrrrr", (note,))


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def _version_table() -> Table:
    rows = [
        ("svfap", __version__),
        ("commit", git_commit() or "not in git"),
        ("Python", platform.python_version()),
        ("system", f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors"),
        *((name, version) for name in PACKAGES if (version := _version(name))),
    ]
    return Table("Versions", ("What", "Version"), tuple(rows), "ll")


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _run_table(results: Path) -> Table:
    """Return a row per recorded run of a stage, with its page in MLflow."""
    rows = tuple(row for path in records(results) for row in _run_rows(path, results))
    note = f"Pages on {LOCAL_SERVER} open while `make mlflow` runs."
    local = any(row[-1].startswith(LOCAL_SERVER) for row in rows)
    columns = ("Stage", "Of", "Ended", "CPU time", "MLflow")
    return Table("Tracked runs", columns, rows, "lllrl", (note,) if local else ())


def _run_rows(path: Path, results: Path) -> Iterator[tuple[str, ...]]:
    """Yield the row of a record; yield none for the record of the pipeline."""
    events = read_record(path)
    start = next((event for event in events if event["event"] == "start"), None)
    ends = [event["status"].lower() for event in events if event["event"] == "end"]
    tracked = [event for event in events if event["event"] == "tracked"]
    took = cpu_seconds_of(events)
    if start and start["stage"] in STAGE_NAMES:
        yield (
            start["stage"],
            str(path.parent.relative_to(results)),
            ends[-1] if ends else "not yet",
            _clock(took) if took else "",
            _mlflow_page(tracked[-1]) if tracked else "off",
        )


def _mlflow_page(event: dict[str, str]) -> str:
    """Return the address of a run's page, without the password that older records may have."""
    server = redacted(event["uri"]) if event["uri"].startswith("http") else LOCAL_SERVER
    return f"{server.rstrip('/')}/#/runs/{event['run_id']}"
