"""Follows a run's record and writes it to MLflow; the only module that imports MLflow."""

import fcntl
import json
import logging
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException

from svfap.tracking import tracking_uri

SQLITE = "sqlite:///"
POLL_SECONDS = 0.5
BATCH = 500
LONGEST_PARAM = 6000

logger = logging.getLogger("svfap")

Event = dict[str, Any]


def client_for(uri: str) -> MlflowClient:
    """A client of the tracking server; a local SQLite file is made by one process at a time."""
    if not uri.startswith(SQLITE):
        return MlflowClient(tracking_uri=uri)
    database = Path(uri.removeprefix(SQLITE))
    database.parent.mkdir(parents=True, exist_ok=True)
    with database.with_name(f".{database.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        client = MlflowClient(tracking_uri=uri)
        client.search_experiments(max_results=1)  # the first query makes the tables
    return client


def experiment(client: MlflowClient, uri: str, name: str) -> str:
    """Id of the experiment of that name, made if need be, whoever is first."""
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    location = None
    if uri.startswith(SQLITE):
        database = Path(uri.removeprefix(SQLITE)).absolute()
        location = (database.parent / "mlflow-artifacts" / name).as_uri()
    try:
        return str(client.create_experiment(name, artifact_location=location))
    except MlflowException:
        found = client.get_experiment_by_name(name)
        if found is None:
            raise
        return str(found.experiment_id)


def follow(record: Path, parent: int) -> Iterator[list[Event]]:
    """Yield new events of a record in lists, until it ends or its process is gone."""
    with record.open(encoding="utf-8") as file:
        rest, ended = "", False
        while not ended:
            ended = not _alive(parent)
            *lines, rest = (rest + file.read()).split("\n")
            events = [json.loads(line) for line in lines]
            if events:
                yield events
            ended = ended or any(event["event"] == "end" for event in events)
            time.sleep(0 if ended else POLL_SECONDS)


def write(record: Path, parent: int) -> None:
    """Copy a record to MLflow while it grows."""
    uri = tracking_uri()
    client, run = client_for(uri), ""
    for events in follow(record, parent):
        metrics: list[Metric] = []
        for event in events:
            if event["event"] == "start":
                run = _start(client, uri, event)
                with record.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"event": "tracked", "run_id": run, "uri": uri}) + "\n")
            elif event["event"] == "metrics":
                stamp = int(event["time"] * 1000)
                metrics += [Metric(k, v, stamp, event["step"]) for k, v in event["metrics"].items()]
        for begin in range(0, len(metrics), BATCH):
            client.log_batch(run, metrics=metrics[begin : begin + BATCH])
        for event in events:
            if event["event"] == "end":
                _end(client, run, record, event)


def _start(client: MlflowClient, uri: str, event: Event) -> str:
    """Begin a run, or go on with the one that was cut off."""
    tags = {k: v for k, v in event["tags"].items() if v}
    if event["run_id"]:
        try:
            client.update_run(event["run_id"], status="RUNNING")
        except MlflowException:
            pass
        else:
            return str(event["run_id"])
    run = client.create_run(
        experiment(client, uri, event["stage"]), tags=tags, run_name=event["name"]
    )
    params = [Param(k, v[:LONGEST_PARAM]) for k, v in event["params"].items()]
    for begin in range(0, len(params), 100):
        client.log_batch(run.info.run_id, params=params[begin : begin + 100])
    return str(run.info.run_id)


def _end(client: MlflowClient, run: str, record: Path, event: Event) -> None:
    """Store the pictures and tables, and close the run."""
    for name in event["artifacts"]:
        file = Path(name)
        if file.is_file():
            folder = file.parent.relative_to(record.parent)
            client.log_artifact(run, name, None if folder == Path() else str(folder))
    client.log_batch(run, tags=[RunTag("outcome", event["status"])])
    client.set_terminated(run, status=event["status"])


def _alive(process: int) -> bool:
    """Whether the process that is followed still runs."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def prepare(names: Sequence[str]) -> None:
    """Make the database and the experiments of these names."""
    uri = tracking_uri()
    client = client_for(uri)
    for name in names:
        experiment(client, uri, name)


def main() -> int:
    """`RECORD PROCESS` follows a record, `--prepare NAME ...` makes experiments.

    Whatever a server or a database does, the pipeline must go on: one warning, exit code 1.
    """
    try:
        if sys.argv[1] == "--prepare":
            prepare(sys.argv[2:])
        else:
            write(Path(sys.argv[1]), int(sys.argv[2]))
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        logger.warning(
            "MLflow at %s does not answer (%.120s); going on, run.jsonl has it all",
            tracking_uri(),
            reason,
        )
        return 1
    return 0


if __name__ == "__main__":
    logging.basicConfig(format="svfap: %(levelname)s: %(message)s")
    sys.exit(main())
