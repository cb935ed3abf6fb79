"""Command `sync-tracking`: copy to MLflow what run.jsonl files hold and it lacks."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from svfap.errors import SvfapError
from svfap.tracking.mlflow_copy import Copy, Server
from svfap.tracking.record import RECORD, Event, read_record
from svfap.tracking.stage_run import tracking_uri


def run(arguments: Sequence[str]) -> str:
    """Copy all records below the folders; those that are there already cost a query.

    Raises:
        SvfapError: a folder is missing, or the server does not answer.
    """
    parser = argparse.ArgumentParser(
        prog="python -m svfap sync-tracking",
        description="Copy every run.jsonl below the folders to MLFLOW_TRACKING_URI.",
    )
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER",
                        help="by default data and results")  # fmt: skip
    folders = parser.parse_args(arguments).folders or [Path("data"), Path("results")]
    missing = [folder for folder in folders if not folder.is_dir()]
    if len(missing) == len(folders):
        raise SvfapError(f"{missing[0]}: no such folder; name the one that holds the results")
    uri = tracking_uri()
    if uri == "off":
        raise SvfapError("MLFLOW_TRACKING_URI is off; set it to the server to copy to")
    records = [record for folder in folders for record in _records(folder)]
    try:
        server = Server(uri)
        copies = [_copy(server, record, events) for record, events in sorted(records, key=_began)]
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise SvfapError(f"MLflow at {uri} does not answer ({reason:.120}); start it") from error
    made = sum(copy.created for copy in copies)
    sent = sum(copy.sent for copy in copies)
    return f"{len(copies)} runs at {uri}: {made} new, {sent} metrics that were missing"


def _records(folder: Path) -> list[tuple[Path, list[Event]]]:
    """Records below a folder that have a start."""
    found = ((record, read_record(record)) for record in sorted(folder.rglob(RECORD)))
    return [(r, events) for r, events in found if any(e["event"] == "start" for e in events)]


def _began(record: tuple[Path, list[Event]]) -> float:
    """When a run began: parents before children, and runs before those that use what they made."""
    return next(float(event["time"]) for event in record[1] if event["event"] == "start")


def _copy(server: Server, record: Path, events: list[Event]) -> Copy:
    copy = Copy(server, record.absolute())
    copy.write(events)
    return copy
