"""`run.jsonl`: what a run was given, what it measured, how it ended; the truth behind MLflow.

A line is an event: `start`, `metrics` and `end` by the run itself, `tracked` by the process that
copies it to MLflow. A run that was cut off and goes on starts once more in the same record, under
the same `id`, by which it is found in any MLflow.
"""

import contextlib
import hashlib
import json
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

RECORD = "run.jsonl"
DATASETS = {"manifest", "clips", "crops", "shards", "validation", "predictions"}
NEEDED = {
    "start": {"stage", "params"},
    "metrics": {"metrics", "step"},
    "tracked": {"uri", "run_id"},
    "end": {"status"},
}

Event = dict[str, Any]


def read_record(output: Path) -> list[Event]:
    """Events of the run that made `output`, oldest first; without torn or damaged lines.

    A record of an earlier version, whose runs have no id, counts as empty.
    """
    record = output.parent / RECORD
    if not record.is_file():
        return []
    events = list(parse(record.read_bytes()))
    return events if all("id" in e for e in events if e["event"] == "start") else []


def parse(content: bytes) -> Iterator[Event]:
    """The events that a record holds, leaving out what was torn by a kill or is damaged."""
    for line in content.splitlines():
        with contextlib.suppress(ValueError, LookupError, TypeError, RecursionError):
            event = json.loads(line)
            if isinstance(event, dict) and event.keys() >= NEEDED[event["event"]] | {"event"}:
                yield event


def append(record: Path, event: Mapping[str, Any]) -> None:
    """Add an event in one write, so that two processes can share a record."""
    line = json.dumps({"time": time.time(), **event}) + "\n"
    with record.open("ab", buffering=0) as file:
        file.write(line.encode())


def run_id(output: Path, uri: str | None = None) -> str | None:
    """MLflow id of the run that made `output`, if it was tracked (at `uri`)."""
    ids = [
        event["run_id"]
        for event in read_record(output)
        if event["event"] == "tracked" and uri in (None, event["uri"])
    ]
    return ids[-1] if ids else None


def record_id(output: Path) -> str | None:
    """Id of the record of the run that made `output`, if there is one."""
    starts = [event for event in read_record(output) if event["event"] == "start"]
    return starts[-1]["id"] if starts else None


def begin(record: Path, start: Mapping[str, Any]) -> None:
    """Write a start event: into the record of the same run if it was cut off, else into a new one.

    It is the same run if it has the same parameters and did not finish.
    """
    record.parent.mkdir(parents=True, exist_ok=True)
    events = read_record(record)
    starts = [event for event in events if event["event"] == "start"]
    finished = any(e["event"] == "end" and e["status"] == "FINISHED" for e in events)
    if starts and not finished and starts[-1]["params"] == start["params"]:
        if not record.read_bytes().endswith(b"\n"):
            with record.open("ab") as file:
                file.write(b"\n")
        append(record, {**start, "id": starts[-1]["id"]})
    else:
        record.unlink(missing_ok=True)
        append(record, {**start, "id": uuid.uuid4().hex})


def describe(inputs: Mapping[str, Sequence[Path]], stage: str) -> list[dict[str, Any]]:
    """Path, content hash, number of clips and use of every input that is a table of clips."""
    testing = {"shards": "testing"} if stage == "evaluate" else {"shards": "training"}
    return [
        {
            "path": str(path),
            "name": "/".join(path.absolute().parent.parts[-2:]),
            "digest": _digest(path),
            "clips": _rows(path),
            "context": testing.get(role, role),
        }
        for role, paths in inputs.items()
        if role in DATASETS
        for path in paths
    ]


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested parameters as `a.b.c: value`."""
    flat: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = str(value)
    return flat


def hash_of(params: Mapping[str, str]) -> str:
    """A short hash that tells configurations apart."""
    return hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()[:16]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]


def _rows(path: Path) -> int:
    """Number of rows of a Parquet or CSV table."""
    if path.suffix == ".parquet":
        from pyarrow import ArrowInvalid, parquet

        try:
            return int(parquet.read_metadata(path).num_rows)
        except ArrowInvalid:
            return 0  # the stage says what is wrong with it
    with path.open("rb") as file:
        return max(0, sum(1 for _ in file) - 1)
