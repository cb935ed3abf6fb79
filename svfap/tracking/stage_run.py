"""Track what each stage did: `run.jsonl` beside its output, and a copy in MLflow.

The files are authoritative; MLflow holds a copy. A stage appends its parameters, metrics and
outcome to its record (`svfap.tracking.record`). Another process (`svfap.tracking.mlflow_writer`)
follows that file and writes to MLflow. A stage therefore never imports MLflow and never waits for a
server. Without a server it warns once and continues; `python -m svfap sync-tracking` uploads the
records later.

A call of Snakemake is a run too; it is the parent of its jobs' runs.
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

from svfap.redact import redacted
from svfap.tracking import spool
from svfap.tracking.environment import experiment_name, tracking_uri
from svfap.tracking.record import (
    RECORD,
    Event,
    append,
    begin,
    check_unchanged,
    config_hash,
    declare,
    describe_inputs,
    digests_of_inputs,
    flatten,
    is_of_run,
    read_record,
    record_id,
    written_digests,
)

PIPELINE = "pipeline"
PIPELINE_VARIABLE = "SVFAP_PIPELINE"
STAGES_WITH_MODEL = {"finetune"}
CPU_SECONDS = "cpu_seconds"
CLOSE_SECONDS = 30.0  # longest time that an ending stage waits for the writer
ARTIFACTS = {".png", ".csv", ".md", ".tex", ".html"}
ARTIFACT_BYTES = 5e6

Log = Callable[..., None]

logger = logging.getLogger(__name__)


def cpu_seconds() -> float:
    """Return CPU seconds of this process, imports included, and of children it has waited for."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def cpu_seconds_of(events: Iterable[Event]) -> float:
    """Return CPU seconds of a recorded run, summed over its attempts; 0 if none has ended."""
    return float(sum(e["metrics"].get(CPU_SECONDS, 0) for e in events if e["event"] == "metrics"))


def first_process() -> bool:
    """Return whether this is the only process of a run, or the first that torchrun started."""
    return os.environ.get("RANK", "0") == "0"


class TrackedRun:
    """A run that is recorded in a file and copied to MLflow by the writer."""

    def __init__(self, record: Path, start: Mapping[str, Any]) -> None:
        self.record = record.absolute()
        begin(self.record, {"event": "start", "experiment": experiment_name(), **start})
        self._warned = False
        self._ticket = self._queue_record()

    def log(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Record metrics; warn once if they do not reach MLflow."""
        append(self.record, {"event": "metrics", "metrics": dict(metrics), "step": step})
        if self._ticket:
            self._warn(self._ticket.failure())

    def end(
        self,
        status: str,
        files: Iterable[Path],
        *,
        model: Path | None = None,
        digests: Mapping[str, str] | None = None,
    ) -> None:
        """Record the outcome, the files to upload, and the digests of what the stage has written.

        Wait a limited time for the writer.
        """
        folder = self.record.parent
        event = {
            "event": "end",
            "status": status,
            "artifacts": [os.path.relpath(path, folder) for path in files],
            "model": os.path.relpath(model, folder) if model else None,
            "digests": dict(digests or {}),
        }
        append(self.record, event)
        if self._ticket:
            if not self._ticket.wait_for_writer(CLOSE_SECONDS):
                where = redacted(tracking_uri())
                logger.info("MLflow at %s is slow; writing continues in background", where)
            self._warn(self._ticket.failure())
            self._ticket.close()

    def _queue_record(self) -> spool.Ticket | None:
        uri = tracking_uri()
        try:
            return None if uri == "off" else spool.queue(self.record, uri)
        except OSError as error:
            self._warn(f"cannot be written to ({error})")
        return None

    def _warn(self, reason: str) -> None:
        if reason and not self._warned:
            self._warned = True
            logger.warning(
                "MLflow at %s %s; the run continues. Upload its %s later:"
                " python -m svfap sync-tracking",
                redacted(tracking_uri()),
                redacted(reason),
                RECORD,
            )


class Pipeline:
    """The run of one call of Snakemake, the parent of its jobs' runs.

    An interrupted pipeline that resumes with the same configuration is the same run.
    """

    def __init__(self, results: Path, params: Mapping[str, Any]) -> None:
        self.results, self.params = results, flatten(params)
        self.record = results.absolute() / "tracking" / RECORD
        os.environ[PIPELINE_VARIABLE] = str(self.record)  # jobs inherit it
        self._run: TrackedRun | None = None

    def open(self) -> None:
        """Begin the run, before the first job."""
        start = {"stage": PIPELINE, "name": str(self.results), "params": self.params}
        self._run = TrackedRun(self.record, start | {"tags": _tags(PIPELINE, self.params)})

    def close(self, status: str) -> None:
        """End the run as FINISHED or FAILED, with the metrics of the benchmark."""
        if self._run:
            table = self.results / "tables" / "benchmark.md"
            for event in read_record(table):
                if event["event"] == "metrics" and CPU_SECONDS not in event["metrics"]:
                    self._run.log(event["metrics"], event["step"])
            self._run.end(status, [table] if table.is_file() else [])


@contextlib.contextmanager
def track_stage(
    stage: str,
    *,
    params: Mapping[str, Any],
    inputs: Mapping[str, Sequence[Path]],
    output: Path,
    tags: Mapping[str, Any] | None = None,
) -> Iterator[Log]:
    """Record a run of a stage; yield `log(metrics, step=0)`.

    An interrupted run that is started again resumes the same MLflow run. If several processes share
    a run, the first one records it. The last metric is `cpu_seconds` of all processes, estimated as
    the first process's time x the number of processes.

    Raises:
        SvfapError: an input has changed since its stage wrote it.
    """
    if not first_process():
        yield lambda metrics, step=0: None
        return
    flat, started = flatten(params), time.time()
    paths = [path for given in inputs.values() for path in given]
    for path in paths:
        check_unchanged(path)
    pipeline = os.environ.get(PIPELINE_VARIABLE)
    start = {
        "stage": stage,
        "name": str(output),
        "params": flat,
        "tags": _tags(stage, flat) | flatten(tags or {}),
        "parent": record_id(Path(pipeline)) if pipeline else None,
        "upstream": {str(path): known for path in paths if (known := record_id(path))},
        "inputs": describe_inputs(inputs, stage),
        "digests": digests_of_inputs(paths, output),
    }
    tracked, status = TrackedRun(output.parent / RECORD, start), "FAILED"
    declare(output)
    try:
        yield tracked.log
        status = "FINISHED"
    except (KeyboardInterrupt, SystemExit):
        status = "KILLED"
        raise
    finally:
        tracked.log({CPU_SECONDS: cpu_seconds() * int(os.environ.get("WORLD_SIZE", "1"))})
        files = [p for p in sorted(output.parent.rglob("*")) if _is_artifact(p, started)]
        finished = status == "FINISHED"
        model = output if finished and stage in STAGES_WITH_MODEL else None
        digests = written_digests(output, started) if finished else {}
        tracked.end(status, files, model=model, digests=digests)


def git_commit() -> str:
    """Return the commit of the code, with "+" if files have changed since; empty without git."""
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
        "config_hash": config_hash(params),
        "git_commit": git_commit(),
        "command": " ".join(sys.argv),
        "device": _device(),
    }


def _device() -> str:
    """Return the name of this process's GPU, on which `precision: auto` means bf16, or "CPU"."""
    torch = sys.modules.get("torch")  # a stage with a model has imported it, and no other needs it
    return str(torch.cuda.get_device_name()) if torch and torch.cuda.is_available() else "CPU"


def _is_artifact(path: Path, since: float) -> bool:
    """Return whether a file beside the output is a small picture or table of this run."""
    small = path.suffix in ARTIFACTS and is_of_run(path, since)
    return small and path.stat().st_size < ARTIFACT_BYTES
