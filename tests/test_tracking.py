"""Tracking: the record beside the output is the truth, a real MLflow shows it, none is needed."""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from mlflow import MlflowClient

from svfap import tracking

CALL = ("-m", "svfap", "track", "--config", '{"experiments": ["track", "crop"]}', "--output")


def track(folder: Path, uri: str, name: str = "ready/x") -> subprocess.CompletedProcess[str]:
    """Run a real stage in a folder."""
    return subprocess.run(
        [sys.executable, *CALL, name],
        cwd=folder,
        env=os.environ | {"MLFLOW_TRACKING_URI": uri},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def database(tmp_path):
    """URI of an SQLite store whose experiments have been made by the stage `track`."""
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    done = track(tmp_path, uri)
    assert done.returncode == 0, done.stderr
    return uri


def runs(uri, stage):
    client = MlflowClient(tracking_uri=uri)
    found = client.get_experiment_by_name(stage)
    return client.search_runs([found.experiment_id]), client


def test_parameters_metrics_files_and_upstream_arrive(tmp_path, database, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database)
    first, second = tmp_path / "a" / "clips.csv", tmp_path / "b" / "clips.csv"
    with tracking.run("crop", params={"x": {"y": 1}}, inputs=[], output=first) as log:
        first.write_text("key\n")
        for step in range(1200):
            log({"loss": 1 / (step + 1)}, step)
        (tmp_path / "a" / "picture.png").write_bytes(b"png")
    with tracking.run("crop", params={}, inputs=[first], output=second):
        second.write_text("key\n")
    found, client = runs(database, "crop")
    by_name = {run.info.run_name: run for run in found}
    one, two = by_name[str(first)], by_name[str(second)]
    assert one.data.params["x.y"] == "1"
    assert len(one.data.tags["git_commit"]) >= 40
    assert one.info.status == "FINISHED"
    assert len(client.get_metric_history(one.info.run_id, "loss")) == 1200
    assert {f.path for f in client.list_artifacts(one.info.run_id)} == {"clips.csv", "picture.png"}
    upstream = [v for k, v in two.data.tags.items() if k.startswith("upstream.")]
    assert upstream == [one.info.run_id]


def test_four_runs_at_once_lose_nothing(tmp_path, database):
    names = [f"fold{k}/x" for k in range(4)]
    with ThreadPoolExecutor() as pool:
        done = list(pool.map(lambda name: track(tmp_path, database, name), names))
    assert [d.stderr for d in done if "MLflow" in d.stderr] == []
    found, _ = runs(database, "track")
    assert {run.info.run_name for run in found if run.info.status == "FINISHED"} >= {*names}


def test_a_failed_run_is_shown_as_failed(tmp_path, database, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database)
    with (
        pytest.raises(RuntimeError),
        tracking.run("crop", params={}, inputs=[], output=tmp_path / "f" / "x"),
    ):
        raise RuntimeError("boom")
    found, _ = runs(database, "crop")
    assert [run.info.status for run in found] == ["FAILED"]


def test_a_run_that_was_cut_off_goes_on_under_the_same_id(tmp_path, database, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database)
    output = tmp_path / "cut" / "x"
    output.parent.mkdir()
    with tracking.run("crop", params={}, inputs=[], output=output):
        pass
    first = tracking.run_id(output)
    record = output.parent / tracking.RECORD
    lines = [line for line in record.read_text().splitlines() if '"end"' not in line]
    record.write_text("\n".join(lines) + "\n")
    with tracking.run("crop", params={}, inputs=[], output=output):
        pass
    assert tracking.run_id(output) == first
    assert len(runs(database, "crop")[0]) == 1


def test_no_server_costs_one_warning_and_under_ten_seconds(tmp_path):
    track(tmp_path, "off")  # warm the file cache: imports are not what is timed
    began = time.monotonic()
    done = track(tmp_path, "http://127.0.0.1:9")
    assert done.returncode == 0
    assert (tmp_path / "ready" / "x").is_file()
    assert "Traceback" not in done.stderr
    warnings = [line for line in done.stderr.splitlines() if "does not answer" in line]
    assert 1 <= len(warnings) <= 2, done.stderr  # the stage `track` itself asks for the server
    assert time.monotonic() - began < 30


def test_a_server_that_dies_midway_costs_a_warning(tmp_path, monkeypatch):
    """A real MLflow server, killed while a run is logged."""
    uri, port = f"sqlite:///{tmp_path}/server.db", free_port()
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)),
        *("--backend-store-uri", uri, "--workers", "1"),
        *("--default-artifact-root", str(tmp_path / "art")),
    ]
    environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as server:  # fmt: skip
        address = f"http://127.0.0.1:{port}"
        wait_for(f"{address}/health")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        output = tmp_path / "run" / "x"
        with tracking.run("crop", params={}, inputs=[], output=output) as log:
            log({"loss": 1.0}, 0)
            for _ in range(600):
                if tracking.run_id(output):
                    break
                time.sleep(0.1)
            assert tracking.run_id(output)
            os.killpg(server.pid, signal.SIGKILL)
            log({"loss": 0.5}, 1)
    events = tracking.read_record(output)
    assert [e["metrics"]["loss"] for e in events if e["event"] == "metrics"] == [1.0, 0.5]
    assert events[-1]["status"] == "FINISHED"


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def wait_for(address):
    for _ in range(600):
        try:
            with urllib.request.urlopen(address, timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(address)


def test_a_torn_record_is_read(tmp_path):
    record = tmp_path / tracking.RECORD
    record.write_text(json.dumps({"event": "tracked", "run_id": "r"}) + '\n{"event": "me')
    assert tracking.run_id(tmp_path / "x") == "r"


def test_parameters_are_flattened():
    assert tracking.flatten({"a": {"b": 1, "c": {"d": [2]}}}) == {"a.b": "1", "a.c.d": "[2]"}


def test_off_starts_no_process(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "off")
    caplog.set_level(logging.DEBUG)
    with tracking.run("crop", params={}, inputs=[], output=tmp_path / "o" / "x") as log:
        log({"a": 1})
    assert [e["event"] for e in tracking.read_record(tmp_path / "o" / "x")] == [
        "start", "metrics", "end",
    ]  # fmt: skip
