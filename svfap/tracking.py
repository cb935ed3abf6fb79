"""What each stage did: `run.jsonl` beside its output, and the same in MLflow.

Files are the truth and MLflow is a view of them. A stage appends its parameters, metrics and
outcome to `run.jsonl`; a process of its own (`svfap.mlflow_writer`) follows that file and writes
to `MLFLOW_TRACKING_URI`. So a stage never imports MLflow, never waits for a server, and goes on
after one warning when there is none.
"""

import contextlib
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

RECORD = "run.jsonl"
DEFAULT_URI = "sqlite:///results/mlflow.db"
CLOSE_SECONDS = 30.0

Log = Callable[..., None]

logger = logging.getLogger(__name__)


def tracking_uri() -> str:
    """Where runs are shown: `MLFLOW_TRACKING_URI`, or a local SQLite file; "off" for nowhere."""
    return os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI


def read_record(output: Path) -> list[dict[str, Any]]:
    """Events of the run that made `output`, oldest first; a torn last line is left out."""
    record = output.parent / RECORD
    if not record.is_file():
        return []
    events = []
    for line in record.read_text(encoding="utf-8").splitlines():
        with contextlib.suppress(json.JSONDecodeError):
            events.append(json.loads(line))
    return events


def run_id(output: Path) -> str | None:
    """MLflow run id of the run that made `output`, if it was tracked."""
    ids = [event["run_id"] for event in read_record(output) if event["event"] == "tracked"]
    return ids[-1] if ids else None


def first_process() -> bool:
    """Whether this is the only process of a run, or the first of those that torchrun started."""
    return os.environ.get("RANK", "0") == "0"


@contextlib.contextmanager
def run(
    stage: str, *, params: Mapping[str, Any], inputs: Sequence[Path], output: Path
) -> Iterator[Log]:
    """Record a run of a stage; yields `log(metrics, step=0)`.

    A run that was cut off and is started again goes on under the same MLflow run. Of several
    processes that share a run, the first records it.
    """
    if not first_process():
        yield lambda metrics, step=0: None
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    record = output.parent / RECORD
    finished = any(event["event"] == "end" for event in read_record(output))
    earlier = None if finished else run_id(output)
    record.unlink(missing_ok=True)
    start = {
        "event": "start",
        "stage": stage,
        "name": str(output),
        "params": flatten(params),
        "tags": {"git_commit": git_commit(), "command": " ".join(sys.argv)} | _upstream(inputs),
        "run_id": earlier,
    }
    began = time.time()
    _append(record, start)
    writer = _follow(record)

    def log(metrics: Mapping[str, float], step: int = 0) -> None:
        _append(record, {"event": "metrics", "metrics": dict(metrics), "step": step})

    status = "FAILED"
    try:
        yield log
        status = "FINISHED"
    except (KeyboardInterrupt, SystemExit):
        status = "KILLED"
        raise
    finally:
        files = [str(p) for p in sorted(output.parent.rglob("*")) if _shown(p, began)]
        _append(record, {"event": "end", "status": status, "artifacts": files})
        _close(writer)


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested parameters as `a.b.c: value`."""
    flat: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = str(value)
    return flat


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


def _upstream(inputs: Sequence[Path]) -> dict[str, str]:
    """Tags that name the runs which made the inputs."""
    ids = {str(path): run_id(path) for path in inputs}
    return {f"upstream.{path.replace(os.sep, '.')}": run for path, run in ids.items() if run}


def _shown(path: Path, since: float) -> bool:
    """Whether a file beside the output is small and telling enough to be kept with the run."""
    kinds = {".png", ".csv", ".md", ".tex", ".html"}
    if path.suffix not in kinds or not path.is_file():
        return False
    stat = path.stat()
    return stat.st_mtime >= since - 1 and stat.st_size < 5e6


def _append(record: Path, event: Mapping[str, Any]) -> None:
    with record.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"time": time.time(), **event}) + "\n")


def _follow(record: Path) -> subprocess.Popen[bytes] | None:
    """Start the process that copies the record to MLflow."""
    if tracking_uri() == "off":
        return None
    command = [sys.executable, "-m", "svfap.mlflow_writer", str(record), str(os.getpid())]
    return subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL)


def _close(writer: subprocess.Popen[bytes] | None) -> None:
    """Let the writer finish, for a limited time."""
    if writer is None:
        return
    try:
        writer.wait(CLOSE_SECONDS)
    except subprocess.TimeoutExpired:
        writer.kill()
        logger.warning("MLflow at %s is slow; this run is in %s only", tracking_uri(), RECORD)
