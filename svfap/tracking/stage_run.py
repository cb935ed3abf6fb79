"""What each stage did: `run.jsonl` beside its output, and the same in MLflow.

Files are the truth and MLflow is a view of them. A stage appends its parameters, metrics and
outcome to its record (`svfap.tracking.record`). Another process
(`svfap.tracking.mlflow_writer`) follows that file and writes to `MLFLOW_TRACKING_URI`. A stage
therefore never imports MLflow and never waits for a server. Without a server it warns once and
goes on; `python -m svfap sync-tracking` uploads the records later.

A call of Snakemake is a run too, the parent of those of its jobs.
"""

import contextlib
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from svfap.tracking import spool
from svfap.tracking.record import (
    RECORD,
    Event,
    append,
    begin,
    describe,
    flatten,
    hash_of,
    read_record,
    record_id,
)

SQLITE = "sqlite:///"
DEFAULT_URI = f"{SQLITE}results/mlflow.db"
DEFAULT_EXPERIMENT = "svfap"
PIPELINE = "pipeline"
PIPELINE_VARIABLE = "SVFAP_PIPELINE"
MODELS = {"finetune"}
COST = "cpu_seconds"
CLOSE_SECONDS = 30.0

Log = Callable[..., None]

logger = logging.getLogger(__name__)


def tracking_uri() -> str:
    """Where runs are shown: `MLFLOW_TRACKING_URI`, or a local SQLite file; "off" for nowhere."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI
    if uri.startswith(SQLITE):
        return f"{SQLITE}{Path(uri.removeprefix(SQLITE)).absolute()}"
    return uri


def cpu_seconds() -> float:
    """CPU seconds of this process, imports included, and of those that it has waited for."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def cpu_seconds_of(events: Iterable[Event]) -> float:
    """CPU seconds of a recorded run, over all its attempts; 0 where none has ended."""
    return float(sum(e["metrics"].get(COST, 0) for e in events if e["event"] == "metrics"))


def first_process() -> bool:
    """Whether this is the only process of a run, or the first of those that torchrun started."""
    return os.environ.get("RANK", "0") == "0"


class Tracked:
    """A run that is being recorded, and followed by the writer."""

    def __init__(self, record: Path, start: Mapping[str, Any]) -> None:
        self.record = record.absolute()
        experiment = os.environ.get("MLFLOW_EXPERIMENT_NAME") or DEFAULT_EXPERIMENT
        begin(self.record, {"event": "start", "experiment": experiment, **start})
        self._ticket = self._hand_over()

    def log(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Record metrics; says once when they do not reach MLflow."""
        append(self.record, {"event": "metrics", "metrics": dict(metrics), "step": step})
        if self._ticket:
            self._warn(self._ticket.failure())

    def end(self, status: str, files: Iterable[Path], model: Path | None = None) -> None:
        """Record how the run ended and files to keep; the writer has a limited time to show it."""
        folder = self.record.parent
        event = {
            "event": "end",
            "status": status,
            "artifacts": [os.path.relpath(path, folder) for path in files],
            "model": os.path.relpath(model, folder) if model else None,
        }
        append(self.record, event)
        if self._ticket:
            if not self._ticket.wait(CLOSE_SECONDS):
                logger.info("MLflow at %s is slow; it is still being written to", tracking_uri())
            self._warn(self._ticket.failure())
            self._ticket.close()

    def _hand_over(self) -> spool.Ticket | None:
        self._warned = False
        uri = tracking_uri()
        try:
            return None if uri == "off" else spool.hand_over(self.record, uri)
        except OSError as error:
            self._warn(str(error))
        return None

    def _warn(self, reason: str) -> None:
        if reason and not self._warned:
            self._warned = True
            logger.warning(
                "MLflow at %s does not answer (%.120s); going on, `python -m svfap sync-tracking`"
                " brings there later what is in %s",
                tracking_uri(), reason, RECORD,
            )  # fmt: skip


class Pipeline:
    """The run of one call of Snakemake, whose jobs' runs are its children.

    A pipeline that was cut off and goes on with the same configuration is the same run.
    """

    def __init__(self, results: Path, params: Mapping[str, Any]) -> None:
        self.results, self.params = results, flatten(params)
        self.record = results.absolute() / "tracking" / RECORD
        os.environ[PIPELINE_VARIABLE] = str(self.record)
        self._run: Tracked | None = None

    def open(self) -> None:
        """Begin, before the first job."""
        start = {"stage": PIPELINE, "name": str(self.results), "params": self.params}
        self._run = Tracked(self.record, start | {"tags": _tags(PIPELINE, self.params)})

    def close(self, status: str) -> None:
        """End as FINISHED or FAILED, with the figures of the benchmark."""
        if self._run:
            table = self.results / "tables" / "benchmark.md"
            for event in read_record(table):
                if event["event"] == "metrics" and COST not in event["metrics"]:
                    self._run.log(event["metrics"], event["step"])
            self._run.end(status, [table] if table.is_file() else [])


@contextlib.contextmanager
def track_stage(
    stage: str,
    *,
    params: Mapping[str, Any],
    inputs: Mapping[str, Sequence[Path]],
    output: Path,
) -> Iterator[Log]:
    """Record a run of a stage; yields `log(metrics, step=0)`.

    A run that was cut off and is started again goes on under the same MLflow run. Of several
    processes that share a run, the first records it. The last metric is `cpu_seconds`, of all
    processes together, each taken for as busy as the first.
    """
    if not first_process():
        yield lambda metrics, step=0: None
        return
    flat, began = flatten(params), time.time()
    pipeline = os.environ.get(PIPELINE_VARIABLE)
    ids = {str(path): record_id(path) for paths in inputs.values() for path in paths}
    start = {
        "stage": stage,
        "name": str(output),
        "params": flat,
        "tags": _tags(stage, flat),
        "parent": record_id(Path(pipeline)) if pipeline else None,
        "upstream": {path: known for path, known in ids.items() if known},
        "inputs": describe(inputs, stage),
    }
    tracked, status = Tracked(output.parent / RECORD, start), "FAILED"
    try:
        yield tracked.log
        status = "FINISHED"
    except (KeyboardInterrupt, SystemExit):
        status = "KILLED"
        raise
    finally:
        tracked.log({COST: cpu_seconds() * int(os.environ.get("WORLD_SIZE", "1"))})
        files = [p for p in sorted(output.parent.rglob("*")) if _shown(p, began)]
        model = output if stage in MODELS and status == "FINISHED" else None
        tracked.end(status, files, model)


def git_commit() -> str:
    """Commit of the code, with "+" when files have changed since; empty without git."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, check=True)
        changes = subprocess.run(
            [*git, "status", "--porcelain", "-uno"], capture_output=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return commit.stdout.decode().strip() + ("+" if changes.stdout else "")


def _tags(stage: str, params: Mapping[str, str]) -> dict[str, str]:
    return {
        "stage": stage,
        "config_hash": hash_of(params),
        "git_commit": git_commit(),
        "command": " ".join(sys.argv),
    }


def _shown(path: Path, since: float) -> bool:
    """Whether a file beside the output is small and telling enough to be kept with the run."""
    kinds = {".png", ".csv", ".md", ".tex", ".html"}
    if path.suffix not in kinds or not path.is_file():
        return False
    stat = path.stat()
    return stat.st_mtime >= since - 1 and stat.st_size < 5e6
