"""Copies the events of a record into a run of MLflow; what is there already is not sent again."""

import fcntl
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.exceptions import MlflowException

from svfap.tracking import mlflow_models
from svfap.tracking.record import Event, append, run_id
from svfap.tracking.stage_run import SQLITE

RECORD_TAG = "svfap.tracking.record"
PARENT_TAG = "mlflow.parentRunId"
CONTEXT_TAG = "mlflow.data.context"
LONGEST = 5000

Point = tuple[str, int, int]


class Server:
    """A tracking server or database, and where records are found in it."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.client = _client(uri)
        self._experiments: dict[str, str] = {}
        self._runs: dict[str, str] = {}

    def experiment(self, name: str) -> str:
        """Id of the experiment of that name, made if need be, whoever is first."""
        if name not in self._experiments:
            found = self.client.get_experiment_by_name(name)
            self._experiments[name] = str(found.experiment_id) if found else self._make(name)
        return self._experiments[name]

    def find(self, record: str, experiment: str) -> str | None:
        """Id of the run that a record was copied to."""
        if record not in self._runs:
            query = f"tags.`{RECORD_TAG}` = '{record}'"
            found = self.client.search_runs([experiment], query, max_results=1)
            if not found:
                return None
            self._runs[record] = str(found[0].info.run_id)
        return self._runs[record]

    def _make(self, name: str) -> str:
        location = None
        if self.uri.startswith(SQLITE):
            location = (Path(self.uri.removeprefix(SQLITE)).parent / "mlflow-artifacts").as_uri()
        try:
            return str(self.client.create_experiment(name, artifact_location=location))
        except MlflowException:
            found = self.client.get_experiment_by_name(name)
            if found is None:
                raise
            return str(found.experiment_id)


def _client(uri: str) -> MlflowClient:
    """A client that has an answer; a local SQLite file is made by one process at a time."""
    if not uri.startswith(SQLITE):
        client = MlflowClient(tracking_uri=uri)
        client.search_experiments(max_results=1)
        return client
    database = Path(uri.removeprefix(SQLITE))
    database.parent.mkdir(parents=True, exist_ok=True)
    with database.with_name(f".{database.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        client = MlflowClient(tracking_uri=uri)
        client.search_experiments(max_results=1)  # the first query makes the tables
    return client


class Copy:
    """The run of MLflow that shows a record.

    Attributes:
        run: its id, once the start of the record has been written.
        created: whether this object made it.
        sent: number of metrics that were not there yet.
    """

    def __init__(self, server: Server, record: Path) -> None:
        self.server, self.client, self.record = server, server.client, record
        self.run, self.created, self.sent = "", False, 0
        self._start: Event = {}
        self._known: set[Point] = set()
        self._outcome = ""

    def write(self, events: Sequence[Event]) -> None:
        """Write events of the record; they may be those that were written before.

        Raises:
            Exception: whatever a server or a database does.
        """
        own = [event for event in events if event["event"] in {"start", "metrics", "end"}]
        starts = [event for event in own if event["event"] == "start"]
        ended = bool(own) and own[-1]["event"] == "end"
        if starts:
            self._begin(starts[-1], ended=ended)
        self._measure(event for event in own if event["event"] == "metrics")
        if ended:
            self._end(own[-1])

    def _begin(self, start: Event, *, ended: bool) -> None:
        """Make the run, or take up the one that there is."""
        experiment = self.server.experiment(start["experiment"])
        self._start = start
        with self.record.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            found = self.server.find(start["id"], experiment)
            self.run = found or self._create(start, experiment)
        if found:
            self._take_up(ended=ended)
        params = [Param(k, v[:LONGEST]) for k, v in start["params"].items()]
        tags = [RunTag(k, v[:LONGEST]) for k, v in self._tags(start, experiment).items() if v]
        self._batches("params", params, 100)
        self._batches("tags", tags, 100)
        self._log_inputs(start.get("inputs", []))
        if run_id(self.record, self.server.uri) != self.run:
            append(self.record, {"event": "tracked", "run_id": self.run, "uri": self.server.uri})

    def _create(self, start: Event, experiment: str) -> str:
        made = self.client.create_run(
            experiment,
            start_time=int(start["time"] * 1000),
            tags={RECORD_TAG: start["id"]},
            run_name=start["name"],
        )
        self.created = True
        return str(made.info.run_id)

    def _take_up(self, *, ended: bool) -> None:
        """Learn what the run has."""
        run = self.client.get_run(self.run)
        self._known = {
            (point.key, point.timestamp, point.step)
            for key in run.data.metrics
            for point in self.client.get_metric_history(self.run, key)
        }
        self._outcome = run.data.tags.get("outcome", "")
        if not ended:
            self._outcome = ""
            self.client.update_run(self.run, status="RUNNING")

    def _tags(self, start: Event, experiment: str) -> dict[str, str]:
        """The run's own tags, its parent, and the runs that made its inputs."""
        tags: dict[str, str] = dict(start["tags"])
        parent = start.get("parent")
        if parent and (found := self.server.find(parent, experiment)):
            tags[PARENT_TAG] = found
        for path, record in start.get("upstream", {}).items():
            if found := self.server.find(record, experiment):
                tags[f"upstream.{path.strip(os.sep).replace(os.sep, '.')}"[-250:]] = found
        return tags

    def _log_inputs(self, inputs: Iterable[Mapping[str, Any]]) -> None:
        """The tables of clips that the run reads, as MLflow's datasets."""
        logged = self.client.get_run(self.run).inputs
        known = {
            (e.dataset.name, e.dataset.digest) for e in (logged.dataset_inputs if logged else ())
        }
        datasets = [mlflow_models.dataset(i, self._start["params"]) for i in inputs]
        new = [
            DatasetInput(Dataset(**facts), [InputTag(CONTEXT_TAG, context)])
            for facts, context in datasets
            if (facts["name"], facts["digest"]) not in known
        ]
        for begin in range(0, len(new), 100):
            self.client.log_inputs(self.run, new[begin : begin + 100])

    def _measure(self, events: Iterable[Event]) -> None:
        points = [
            Metric(key, value, int(event["time"] * 1000), event["step"])
            for event in events
            for key, value in event["metrics"].items()
        ]
        new = [p for p in points if (p.key, p.timestamp, p.step) not in self._known]
        self._batches("metrics", new, 500)
        self._known |= {(p.key, p.timestamp, p.step) for p in new}
        self.sent += len(new)

    def _end(self, event: Event) -> None:
        """Store pictures, tables and the model, and close the run."""
        if self._outcome == event["status"]:
            return
        folder = self.record.parent
        for name in event["artifacts"]:
            place = Path(name).parent
            inside = None if place == Path() or ".." in place.parts else str(place)
            if (folder / name).is_file():
                self.client.log_artifact(self.run, str(folder / name), inside)
        if event.get("model") and (folder / event["model"]).is_file():
            mlflow_models.log_model(
                self.client, self.run, folder / event["model"], self._start["params"]
            )
        self.client.log_batch(self.run, tags=[RunTag("outcome", event["status"])])
        self.client.set_terminated(self.run, event["status"], int(event["time"] * 1000))
        self._outcome = event["status"]

    def _batches(self, kind: str, values: Sequence[Any], size: int) -> None:
        """Log many values of a kind; MLflow limits how many it takes at once."""
        for begin in range(0, len(values), size):
            batch: dict[str, Any] = {kind: values[begin : begin + size]}
            self.client.log_batch(self.run, **batch)
