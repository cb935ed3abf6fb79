"""`run.jsonl`: the parameters, metrics and outcome of a run, from which MLflow's copy is made.

A line is an event. The run itself writes `start`, `metrics` and `end`; the process that copies the
record to MLflow writes `tracked`. An interrupted run that resumes adds another `start` with the
same `id` to the same record. The id identifies the run in any MLflow.
"""

import contextlib
import hashlib
import json
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from svfap.errors import SvfapError
from svfap.redact import redacted, redacted_values
from svfap.replacing import link

RECORD = "run.jsonl"
SUFFIX = ".jsonl"
TABLES = {".csv", ".parquet"}
CHECKPOINTS = {".pt"}
DATASETS = {"manifest", "clips", "crops", "shards", "validation", "predictions"}
NEEDED = {
    "start": {"stage", "params"},
    "metrics": {"metrics", "step"},
    "tracked": {"uri", "run_id"},
    "end": {"status"},
}

Event = dict[str, Any]


def read_record(output: Path) -> list[Event]:
    """Return the events of the run that made `output`, oldest first, without damaged lines.

    A record of an earlier version, whose runs have no id, counts as empty.
    """
    record = _record_of(output)
    if record is None:
        return []
    events = list(parse(record.read_bytes()))
    return events if all("id" in e for e in events if e["event"] == "start") else []


def declare(output: Path) -> None:
    """Link the record of an output under the name that the workflow declares, `STEM.jsonl`.

    Two stages may write into one folder, so a declared record is named after the output.
    """
    link(output.with_suffix(SUFFIX), output.with_name(RECORD))


def records(folder: Path) -> list[Path]:
    """Return the records of all runs below a folder; of each run either the record or its copy."""
    own = sorted(folder.rglob(RECORD))
    places = {path.parent for path in own}
    copies = (p for p in folder.rglob(f"*{SUFFIX}") if p.parent not in places and p.is_file())
    return sorted([*own, *copies])


def _record_of(output: Path) -> Path | None:
    """Return the record of the run that made an output, or the copy of it that has travelled."""
    copies = [output.with_suffix(SUFFIX), *sorted(output.parent.glob(f"*{SUFFIX}"))]
    return next((p for p in (output.with_name(RECORD), *copies) if p.is_file()), None)


def parse(content: bytes) -> Iterator[Event]:
    """Yield the events in a record's content; skip lines that are damaged or torn by a kill."""
    for line in content.splitlines():
        # json raises RecursionError on deeply nested brackets.
        with contextlib.suppress(ValueError, LookupError, TypeError, RecursionError):
            event = json.loads(line)
            if isinstance(event, dict) and event.keys() >= NEEDED[event["event"]] | {"event"}:
                yield event


def append(record: Path, event: Mapping[str, Any]) -> None:
    """Append an event to a record, without secrets."""
    line = json.dumps({"time": time.time(), **redacted_values(event)}) + "\n"
    # The file is unbuffered, so a line is one write(2). With O_APPEND the kernel puts whole writes
    # one after the other, so the stage and the writer share a record without a lock.
    with record.open("ab", buffering=0) as file:
        file.write(line.encode())


def run_id(output: Path, uri: str | None = None) -> str | None:
    """Return the MLflow id of the run that made `output`, or None if it was not tracked.

    Args:
        output: the output of a stage.
        uri: the MLflow in which to find the run; None for the last one with a copy of the run.
    """
    ids = [
        event["run_id"]
        for event in read_record(output)
        if event["event"] == "tracked" and (uri is None or redacted(uri) == redacted(event["uri"]))
    ]
    return ids[-1] if ids else None


def record_id(output: Path) -> str | None:
    """Return the id in the record of the run that made `output`, or None without a record."""
    starts = [event for event in read_record(output) if event["event"] == "start"]
    return starts[-1]["id"] if starts else None


def begin(record: Path, start: Mapping[str, Any]) -> None:
    """Write a start event: resume the record of the same run, or replace it by a new one.

    A run resumes if its record has the same parameters and no run in it has finished.
    """
    record.parent.mkdir(parents=True, exist_ok=True)
    events = read_record(record)
    starts = [event for event in events if event["event"] == "start"]
    finished = any(e["event"] == "end" and e["status"] == "FINISHED" for e in events)
    params = redacted_values(start["params"])
    if starts and not finished and starts[-1]["params"] == params:
        # A kill can tear the last line. End it, or the new event would be lost with it.
        if not record.read_bytes().endswith(b"\n"):
            with record.open("ab") as file:
                file.write(b"\n")
        append(record, {**start, "id": starts[-1]["id"]})
    else:
        record.unlink(missing_ok=True)
        append(record, {**start, "id": uuid.uuid4().hex})


def check_unchanged(output: Path) -> None:
    """Check that an output, and the tables beside it, are as their stage wrote them.

    A flipped bit of a disk would otherwise give other figures without a word. A file without a
    digest is accepted: a user's own, or one of an earlier version.

    Raises:
        SvfapError: a file has changed since.
    """
    for name, digest in recorded_digests(output).items():
        path = output.with_name(name)
        if name != output.name and path.suffix not in TABLES:
            continue  # such as the checkpoint beside a curve, which is large
        if path.is_file() and _digest(path) != digest:
            raise SvfapError(
                f"{path}: has changed since its stage wrote it; delete {output} and run again, or,"
                f" if you changed it on purpose, delete {output.with_name(RECORD)}"
            )


def recorded_digests(output: Path) -> dict[str, str]:
    """Return name -> digest of files in the folder of `output`, as its record has them."""
    known: dict[str, str] = {}
    for event in read_record(output):
        known |= event.get("digests") or {}
    return known


def digests_of_inputs(inputs: Sequence[Path], output: Path) -> dict[str, str]:
    """Return name -> recorded digest of the inputs that lie beside an output.

    The run that writes this output replaces the record, and so takes them over.
    """
    beside = {path.name for path in inputs if path.parent == output.parent}
    return {name: known for name, known in recorded_digests(output).items() if name in beside}


def written_digests(output: Path, since: float) -> dict[str, str]:
    """Return name -> digest of the tables and checkpoints that a stage has written.

    Args:
        output: the output of the stage; files beside it count if they are not older than `since`.
        since: when the stage began.
    """
    return {
        path.name: _digest(path)
        for path in sorted(output.parent.iterdir())
        if path.suffix in TABLES | CHECKPOINTS and (path == output or is_of_run(path, since))
    }


def is_of_run(path: Path, since: float) -> bool:
    """Return whether a file has been written since a run began."""
    # Tolerate one second, because some file systems store times in whole seconds.
    return path.is_file() and path.stat().st_mtime >= since - 1


def describe_inputs(inputs: Mapping[str, Sequence[Path]], stage: str) -> list[dict[str, Any]]:
    """Return path, content hash, number of clips and use of every input that is a clip table."""
    testing = {"shards": "testing"} if stage == "evaluate" else {"shards": "training"}
    return [
        {
            "path": str(path),
            "name": "/".join(path.absolute().parent.parts[-2:]),
            "digest": _digest(path),
            "clips": _count_rows(path),
            "context": testing.get(role, role),
        }
        for role, paths in inputs.items()
        if role in DATASETS
        for path in paths
    ]


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return nested parameters as `a.b.c: value`."""
    flat: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = str(value)
    return flat


def config_hash(params: Mapping[str, str]) -> str:
    """Return a short hash of parameters; equal parameters have equal hashes."""
    return hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()[:16]


def _digest(path: Path) -> str:
    """Return 32 digits of the SHA-256 of a file: MLflow 3.17 accepts up to 36 for a dataset."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]


def _count_rows(path: Path) -> int:
    """Return the number of rows of a Parquet or CSV table."""
    if path.suffix == ".parquet":
        from pyarrow import ArrowInvalid, parquet

        try:
            return int(parquet.read_metadata(path).num_rows)
        except ArrowInvalid:
            return 0  # a damaged file; the stage itself reports it
    with path.open("rb") as file:
        return max(0, sum(1 for _ in file) - 1)
