"""What the results were made with: run times, memory, versions, and where each run is tracked."""

import os
import platform
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pandas as pd

from svfap import __version__
from svfap.experiment.stage_list import STAGE_NAMES
from svfap.tables.render import Table
from svfap.tracking.record import RECORD, read_record
from svfap.tracking.stage_run import cpu_seconds_of, git_commit

PACKAGES = ("torch", "timm", "torchvision", "numpy", "opencv-python-headless", "av", "scikit-learn",
            "pandas", "snakemake", "mlflow")  # fmt: skip
LOCAL_SERVER = "http://localhost:5000"
MEGABYTES = 1024


def tables(results: Path) -> list[Table]:
    """Run times, versions and tracked runs of everything below the folder of results."""
    return [_times(results / "benchmarks"), _versions(), _tracked(results)]


def _times(folder: Path) -> Table:
    """A row per stage, from the files of Snakemake's `benchmark:`."""
    jobs = [_job(path, folder) for path in sorted(folder.rglob("*.tsv"))]
    rows = []
    for stage in STAGE_NAMES:
        done = [job for name, job in jobs if name == stage and len(job)]
        if done:
            frame = pd.concat(done)
            memory = pd.to_numeric(frame["max_rss"], errors="coerce").max() / MEGABYTES
            seconds = frame["s"].astype(float)
            rows.append(
                (stage, f"{len(done):,}", _clock(seconds.sum()), _clock(seconds.max()),
                 f"{memory:.2f}")
            )  # fmt: skip
    columns = ("Stage", "Jobs", "Time, all", "Time, longest", "Memory (GB)")
    note = "Hours, minutes and seconds of the last time that each job ran; memory of the largest."
    return Table("Run times", columns, tuple(rows), "lrrrr", (note,))


def _job(path: Path, folder: Path) -> tuple[str, pd.DataFrame]:
    """Stage and measurements of a job, by the place of its file."""
    places = path.relative_to(folder).with_suffix("").parts
    stage = places[2] if places[0] == "variants" and len(places) > 2 else places[0]
    return stage, pd.read_csv(path, sep="\t")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def _versions() -> Table:
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


def _tracked(results: Path) -> Table:
    """A row per training, testing and tabulation, with its page in MLflow."""
    rows = tuple(row for path in sorted(results.rglob(RECORD)) for row in _run(path, results))
    note = f"Pages on {LOCAL_SERVER} open while `make mlflow` runs."
    local = any(row[-1].startswith(LOCAL_SERVER) for row in rows)
    columns = ("Stage", "Of", "Ended", "CPU time", "MLflow")
    return Table("Tracked runs", columns, rows, "lllrl", (note,) if local else ())


def _run(path: Path, results: Path) -> Iterator[tuple[str, ...]]:
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
            _page(tracked[-1]) if tracked else "off",
        )


def _page(event: dict[str, str]) -> str:
    """Address of a run's page."""
    server = event["uri"] if event["uri"].startswith("http") else LOCAL_SERVER
    return f"{server.rstrip('/')}/#/runs/{event['run_id']}"
