"""Copy the events of a record into an MLflow run, and skip those already there."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# Set these before importing MLflow, which reads some of them at once. By default, MLflow 3.17
# repeats a request 7 times and waits 120 s for each answer. All records of a machine wait for one
# writer, so the writer gives up a dead server early.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
# A `uv.lock` in the user's folder says nothing about what a model needs.
os.environ.setdefault("MLFLOW_UV_AUTO_DETECT", "false")

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.utils import file_utils

from svfap.redact import redacted, redacted_values
from svfap.tracking import locks, mlflow_models, mlflow_names, moved_results
from svfap.tracking.environment import SQLITE, without_login
from svfap.tracking.record import Event, append, run_id

RECORD_TAG = "svfap.tracking.record"
PARENT_TAG = "mlflow.parentRunId"
PLACE = ("variant", "dataset", "fold", "part")  # tags that are parameters too
# Limits of MLflow 3.17 (mlflow/utils/validation.py): 100 params or tags and 1000 metrics per call.
# The server may be older: stay below them.
VALUES_PER_CALL = 100
METRICS_PER_CALL = 500
REASON_LENGTH = 120

Point = tuple[str, int, int]  # key, timestamp in ms, step


class MlflowServer:
    """A tracking server or database, with the ids of its experiments and of copied records."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.client = _client(uri)
        self._experiments: dict[str, str] = {}
        self._runs: dict[str, str] = {}

    def experiment(self, name: str) -> str:
        """Return the id of an experiment; create it if there is none."""
        if name not in self._experiments:
            found = self.client.get_experiment_by_name(name)
            self._experiments[name] = str(found.experiment_id) if found else self._create(name)
        return self._experiments[name]

    def find(self, record: str, experiment: str) -> str | None:
        """Return the id of the run that shows a record, or None."""
        if record not in self._runs:
            query = f"tags.`{RECORD_TAG}` = '{record}'"
            found = self.client.search_runs([experiment], query, max_results=1)
            if not found:
                return None
            self._runs[record] = str(found[0].info.run_id)
        return self._runs[record]

    def check(self) -> None:
        """Raise an error of MLflow or a database if the server does not answer."""
        self.client.search_experiments(max_results=1)

    def _create(self, name: str) -> str:
        location = None
        if self.uri.startswith(SQLITE):
            # MLflow's default is ./mlruns below the current folder of the process. Keep files and
            # database together instead.
            location = moved_results.files_beside(Path(self.uri.removeprefix(SQLITE)))
        try:
            return str(self.client.create_experiment(name, artifact_location=location))
        except MlflowException:  # another machine has created it since
            found = self.client.get_experiment_by_name(name)
            if found is None:
                raise
            return str(found.experiment_id)


def _client(uri: str) -> MlflowClient:
    """Return a client whose server has answered a query.

    Raises:
        Exception: any error of the server or the database.

    MLflow creates the tables of a new database at the first query, and fails if two processes do so
    at once. MLflow 3.17 locks a file in the temporary folder of the machine, but other machines
    with the same database do not see that file. So this function locks a file beside the database,
    and MLflow takes locks that need no `flock(2)`.
    """
    if not uri.startswith(SQLITE):
        client = MlflowClient(tracking_uri=without_login(uri))
        client.search_experiments(max_results=1)
        return client
    database = Path(uri.removeprefix(SQLITE))
    database.parent.mkdir(parents=True, exist_ok=True)
    vars(file_utils)["ExclusiveFileLock"] = lambda path: locks.locked(Path(path))
    with locks.locked(database.with_name(f".{database.name}.lock")):
        client = MlflowClient(tracking_uri=uri)
        client.search_experiments(max_results=1)
        moved_results.mend(database)
    return client


def failure(error: Exception) -> str:
    """Return what MLflow does instead of writing, in words that follow "MLflow at ADDRESS"."""
    lines = redacted(str(error)).strip().splitlines() or [type(error).__name__]
    reason = f"{lines[0]:.{REASON_LENGTH}}"
    # Another error comes from the network or a database, or it is ours.
    status = int(error.get_http_status_code()) if isinstance(error, MlflowException) else 500  # type: ignore[no-untyped-call]
    if status in {401, 403}:
        return f"refuses the user or password ({reason})"
    return f"refuses a record ({reason})" if status < 500 else f"does not answer ({reason})"


class RunCopy:
    """The MLflow run that shows a record.

    Attributes:
        run: id of the run; empty until the record's start is written.
        created: whether this object created the run.
        sent: number of metrics that were missing in MLflow.
    """

    def __init__(self, server: MlflowServer, record: Path) -> None:
        self.server, self.client, self.record = server, server.client, record
        self.run, self.created, self.sent = "", False, 0
        self._start: Event = {}
        self._known: set[Point] = set()
        self._outcome = ""

    def write(self, events: Sequence[Event]) -> None:
        """Write events of the record. Events that are in MLflow already are skipped.

        Raises:
            Exception: any error of the server or the database.
        """
        own = [event for event in events if event["event"] in {"start", "metrics", "end"}]
        starts = [event for event in own if event["event"] == "start"]
        ended = bool(own) and own[-1]["event"] == "end"
        if starts:
            self._begin(starts[-1], ended=ended)
        self._log_metrics([event for event in own if event["event"] == "metrics"])
        if ended:
            self._end(own[-1])

    def _begin(self, start: Event, *, ended: bool) -> None:
        """Create the run, or resume the one that shows this record."""
        experiment = self.server.experiment(start["experiment"])
        self._start = start
        # A writer and `sync-tracking`, or writers of two machines, may copy one record at once:
        # whoever locks it first creates the run, and the other one finds it.
        with locks.locked(self.record, "rb"):
            found = self.server.find(start["id"], experiment)
            self.run = found or self._create(start, experiment)
        if found:
            self._resume(ended=ended)
        # Charts and comparisons of MLflow group and rank runs by parameters, not by tags.
        place = {key: start["tags"][key] for key in PLACE if key in start["tags"]}
        params: dict[str, str] = redacted_values(place | start["params"])
        tags = {k: v for k, v in self._tags(start, experiment).items() if v}
        self._log_batches(
            "params", [Param(*pair) for pair in mlflow_names.pairs(params)], VALUES_PER_CALL
        )
        self._log_tags(tags | mlflow_names.full_names(params | tags))
        mlflow_models.log_inputs(self.client, self.run, start.get("inputs", []), start["params"])
        if run_id(self.record, self.server.uri) != self.run:
            append(self.record, {"event": "tracked", "run_id": self.run, "uri": self.server.uri})

    def _create(self, start: Event, experiment: str) -> str:
        created = self.client.create_run(
            experiment,
            start_time=int(start["time"] * 1000),
            tags={RECORD_TAG: start["id"]},
            run_name=start["name"],
        )
        self.created = True
        return str(created.info.run_id)

    def _resume(self, *, ended: bool) -> None:
        """Fetch the metrics and outcome that the run has, to skip them later."""
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
        """Return the run's own tags, its parent, and the runs that made its inputs."""
        tags: dict[str, str] = redacted_values(start["tags"])
        parent = start.get("parent")
        if parent and (found := self.server.find(parent, experiment)):
            tags[PARENT_TAG] = found
        for path, record in start.get("upstream", {}).items():
            if found := self.server.find(record, experiment):
                tags[f"upstream.{path}"] = found
        return tags

    def _log_metrics(self, events: Sequence[Event]) -> None:
        points, names = [], dict.fromkeys(name for event in events for name in event["metrics"])
        keys = {name: mlflow_names.shortened(mlflow_names.encode(name)) for name in names}
        for event in events:
            for name, value in event["metrics"].items():
                points.append(Metric(keys[name], value, int(event["time"] * 1000), event["step"]))
        new = [p for p in points if (p.key, p.timestamp, p.step) not in self._known]
        self._log_tags(mlflow_names.full_names(names))
        self._log_batches("metrics", new, METRICS_PER_CALL)
        self._known |= {(p.key, p.timestamp, p.step) for p in new}
        self.sent += len(new)

    def _end(self, event: Event) -> None:
        """Upload pictures, tables and the model, and close the run."""
        if self._outcome == event["status"]:
            return
        folder = self.record.parent
        for name in event["artifacts"]:
            place = Path(name).parent
            inside = None if place == Path() or ".." in place.parts else str(place)
            if (folder / name).is_file():
                self.client.log_artifact(self.run, str(folder / name), inside)
        if event.get("model") and (folder / event["model"]).is_file():
            mlflow_models.log_model(self.client, self.run, folder / event["model"], self._start)
        # Set the tag after the uploads, so that a run with this tag has all its files.
        self.client.log_batch(self.run, tags=[RunTag("outcome", event["status"])])
        self.client.set_terminated(self.run, event["status"], int(event["time"] * 1000))
        self._outcome = event["status"]

    def _log_tags(self, tags: Mapping[str, str]) -> None:
        self._log_batches(
            "tags", [RunTag(*pair) for pair in mlflow_names.pairs(tags)], VALUES_PER_CALL
        )

    def _log_batches(self, kind: str, values: Sequence[Any], size: int) -> None:
        """Log values of a kind in several calls, each with at most `size`."""
        for begin in range(0, len(values), size):
            batch: dict[str, Any] = {kind: values[begin : begin + size]}
            self.client.log_batch(self.run, **batch)
