"""Command `sync-tracking`: upload to MLflow the runs and metrics that it lacks."""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from svfap.errors import SvfapError, require
from svfap.overwriting import keep_inputs
from svfap.redact import redacted
from svfap.tracking.environment import SQLITE, tracking_uri
from svfap.tracking.record import RECORD, Event, read_record

if TYPE_CHECKING:
    from svfap.tracking.mlflow_copy import MlflowServer, RunCopy


def run(arguments: Sequence[str]) -> str:
    """Copy all records below the folders. Records already uploaded cost one query each.

    Raises:
        SvfapError: no folder exists, the server does not answer, its database is a record, or it
            refuses a record; the other records are uploaded all the same.
    """
    parser = argparse.ArgumentParser(
        prog="svfap sync-tracking",
        description="Copy every run.jsonl below the folders to MLFLOW_TRACKING_URI.",
    )
    parser.add_argument(
        "folders", nargs="*", type=Path, metavar="FOLDER", help="default: data and results"
    )
    folders = parser.parse_args(arguments).folders or [Path("data"), Path("results")]
    missing = [folder for folder in folders if not folder.is_dir()]
    if len(missing) == len(folders):
        raise SvfapError(f"{missing[0]}: no such folder; name the one that holds the results")
    uri = tracking_uri()
    if uri == "off":
        raise SvfapError("MLFLOW_TRACKING_URI is off; set it to the server to copy to")
    require("sync-tracking", "mlflow")
    records = [record for folder in folders for record in _records(folder)]
    if uri.startswith(SQLITE):
        every = (record for folder in folders for record in folder.rglob(RECORD))
        keep_inputs(every, [Path(uri.removeprefix(SQLITE))])
    # It imports MLflow, which takes seconds: a wrong argument must not wait for it.
    from svfap.tracking.mlflow_copy import MlflowServer, failure

    try:
        copies, refused = _copy_all(MlflowServer(uri), sorted(records, key=_start_time))
    except Exception as error:  # MLflow raises exceptions of requests, SQLAlchemy and its own
        raise SvfapError(f"MLflow at {uri} {failure(error)}; start it or correct it") from error
    created = sum(copy.created for copy in copies)
    sent = sum(copy.sent for copy in copies)
    summary = f"{len(copies)} runs at {uri}: {created} new, {sent} metrics that were missing"
    if refused:
        raise SvfapError(f"{summary}; {len(refused)} runs are not there: {'; '.join(refused)}")
    return redacted(summary)


def _copy_all(
    server: "MlflowServer", records: Iterable[tuple[Path, list[Event]]]
) -> tuple[list["RunCopy"], list[str]]:
    """Copy records; return the copies, and path and reason of each record that is refused.

    Raises:
        Exception: any error of a server that does not answer any more.
    """
    from svfap.tracking.mlflow_copy import RunCopy, failure

    copies, refused = [], []
    for record, events in records:
        copy = RunCopy(server, record.absolute())
        try:
            copy.write(events)
        except Exception as error:  # as above
            server.check()
            refused.append(f"{record}: {failure(error)}")
        else:
            copies.append(copy)
    return copies, refused


def _records(folder: Path) -> list[tuple[Path, list[Event]]]:
    """Return the records below a folder that have a start."""
    found = ((record, read_record(record)) for record in sorted(folder.rglob(RECORD)))
    return [(r, events) for r, events in found if any(e["event"] == "start" for e in events)]


def _start_time(record: tuple[Path, list[Event]]) -> float:
    """Return the time of the first start; this order copies parents and inputs before runs."""
    return next(float(event["time"]) for event in record[1] if event["event"] == "start")
