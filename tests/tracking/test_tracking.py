"""Tracking: the record beside the output is the truth, a real MLflow shows it, none is needed."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from helpers.basic_auth_proxy import basic_auth_proxy
from helpers.tiny_trainer import PLAIN
from helpers.toy_shards import make_shards
from mlflow import MlflowClient, pyfunc, set_tracking_uri

from svfap.__main__ import main
from svfap.config import FinetuneConfig, OptimConfig
from svfap.config.stage_sections import EvaluateJob, FinetuneJob
from svfap.errors import SvfapError
from svfap.evaluation import scoring
from svfap.shards.store import ClipStore
from svfap.tracking import record, spool, stage_run
from svfap.training.checkpoint import load_model

FOLD = """
import sys
from pathlib import Path
from svfap.tracking.stage_run import track_stage
with track_stage("finetune", params={"fold": 1}, inputs={}, output=Path(sys.argv[1])) as log:
    for step in range(700):
        log({"loss": 1 / (step + 1), "lr": 0.1}, step)
"""


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """Wait long for the writer, so that assertions see everything on slow machines too."""
    monkeypatch.setattr(stage_run, "CLOSE_SECONDS", 240.0)
    monkeypatch.delenv(stage_run.PIPELINE_VARIABLE, raising=False)


@pytest.fixture
def database(tmp_path, monkeypatch):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    return uri


def runs(uri):
    """Name of the output -> run, and the client."""
    client = MlflowClient(tracking_uri=uri)
    found = client.search_runs([e.experiment_id for e in client.search_experiments()])
    return {run.info.run_name: run for run in found}, client


def write(output, *, inputs=None, stage="crop", params=None, points=0):
    with stage_run.track_stage(
        stage, params=params or {}, inputs=inputs or {}, output=output
    ) as log:
        for step in range(points):
            log({"loss": 1 / (step + 1)}, step)
        output.write_text("key\na\n")


def cut_off(output):
    """Make a record look like that of a killed run: no end, and a torn line."""
    path = output.parent / record.RECORD
    lines = [line for line in path.read_text().splitlines() if '"end"' not in line]
    path.write_text("\n".join(lines) + '\n{"event": "me')


def test_a_pipeline_and_its_stages(tmp_path, database):
    pipeline = stage_run.Pipeline(tmp_path / "results", {"x": {"y": 1}})
    first, second = tmp_path / "a" / "clips.csv", tmp_path / "b" / "clips.csv"
    pipeline.open()
    write(first, points=1200, params={"x": {"y": 1}})
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "picture.png").write_bytes(b"png")
    write(second, inputs={"clips": [first]})
    write(tmp_path / "results" / "tables" / "benchmark.md", points=3)
    pipeline.close("FINISHED")
    found, client = runs(database)
    parent, one, two = (found[str(p)] for p in (tmp_path / "results", first, second))
    assert {run.info.status for run in found.values()} == {"FINISHED"}
    assert one.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert two.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert one.data.params["x.y"] == parent.data.params["x.y"] == "1"
    assert len(one.data.tags["git_commit"]) >= 40
    assert one.data.tags["config_hash"] != two.data.tags["config_hash"]
    assert len(client.get_metric_history(one.info.run_id, "loss")) == 1200
    assert len(client.get_metric_history(parent.info.run_id, "loss")) == 3
    assert {f.path for f in client.list_artifacts(two.info.run_id)} == {"clips.csv", "picture.png"}
    assert [v for k, v in two.data.tags.items() if k.startswith("upstream.")] == [one.info.run_id]
    (used,) = two.inputs.dataset_inputs
    assert (used.dataset.name, used.tags[0].value) == (f"{tmp_path.name}/a", "clips")
    assert json.loads(used.dataset.profile) == {"clips": 1}
    assert record.run_id(first, database) == one.info.run_id


@pytest.mark.parametrize("machines", [1, pytest.param(4, marks=pytest.mark.slow)])
def test_four_folds_at_once_on_a_fresh_database_lose_nothing(tmp_path, machines):
    """On one machine the folds share a writer; on four, four writers share the database."""
    uri = f"sqlite:///{tmp_path}/fresh.db"

    def fold(number):
        own = tmp_path / f"machine{number % machines}"
        own.mkdir(exist_ok=True)
        environment = os.environ | {"MLFLOW_TRACKING_URI": uri, "TMPDIR": str(own)}
        return subprocess.run(
            [sys.executable, "-c", FOLD, str(tmp_path / f"fold{number}" / "x")],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stderr

    with ThreadPoolExecutor(4) as pool:
        assert [text for text in pool.map(fold, range(4)) if "does not answer" in text] == []
    wait_for(lambda: not [*tmp_path.rglob(spool.TICKETS)])
    found, client = runs(uri)
    assert {run.info.status for run in found.values()} == {"FINISHED"}
    counts = [
        len(client.get_metric_history(run.info.run_id, key))
        for run in found.values()
        for key in ("loss", "lr")
    ]
    assert counts == [700] * 8


def test_a_failed_run_is_shown_as_failed(tmp_path, database):
    with (
        pytest.raises(RuntimeError),
        stage_run.track_stage("crop", params={}, inputs={}, output=tmp_path / "f" / "x"),
    ):
        raise RuntimeError("boom")
    assert [run.info.status for run in runs(database)[0].values()] == ["FAILED"]


def test_an_interrupted_run_resumes_under_the_same_id(tmp_path, database):
    output = tmp_path / "cut" / "x"
    write(output, points=3)
    first = record.run_id(output)
    cut_off(output)
    write(output, points=2)
    assert record.run_id(output) == first
    found, client = runs(database)
    assert [run.info.run_id for run in found.values()] == [first]
    assert len(client.get_metric_history(first, "loss")) == 5
    write(output, points=2)
    assert record.run_id(output) != first  # it had finished: this is another run


def test_a_run_with_other_parameters_is_another(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "off")
    output = tmp_path / "o" / "x"
    write(output, params={"lr": 1})
    cut_off(output)
    first = record.record_id(output)
    write(output, params={"lr": 2})
    assert record.record_id(output) != first
    assert [e["event"] for e in record.read_record(output)] == ["start", "metrics", "end"]


@pytest.mark.slow
def test_a_killed_stage_is_shown_as_killed_and_a_killed_writer_is_replaced(tmp_path, database):
    output = tmp_path / "k" / "x"
    code = FOLD + "    Path(sys.argv[1]).touch()\n    import time; time.sleep(600)\n"
    with subprocess.Popen([sys.executable, "-c", code, str(output)]) as stage:
        try:
            wait_for(lambda: output.exists() and record.run_id(output))
            os.kill(writer_of(database), signal.SIGKILL)
        finally:
            stage.kill()
    write(tmp_path / "next" / "x")
    wait_for(lambda: runs(database)[0][str(output)].info.status == "KILLED")
    found, client = runs(database)
    history = client.get_metric_history(found[str(output)].info.run_id, "loss")
    assert len(history) == 700
    assert found[str(tmp_path / "next" / "x")].info.status == "FINISHED"


def writer_of(uri):
    """Return the process id of the writer for a server, from the list of processes."""
    folder = str(spool.ticket_folder(uri))
    listed = subprocess.run(
        ["ps", "-eww", "-o", "pid,args"], capture_output=True, text=True, check=True
    )
    (line,) = (line for line in listed.stdout.splitlines() if f"mlflow_writer {folder}" in line)
    return int(line.split()[0])


def test_no_server_costs_one_warning(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    write(tmp_path / "o" / "x", points=5)
    assert caplog.text.count("does not answer") == 1
    assert "sync-tracking" in caplog.text


def test_off_starts_no_process(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "off")
    monkeypatch.setattr(spool, "queue", None)
    write(tmp_path / "o" / "x", points=1)
    events = record.read_record(tmp_path / "o" / "x")
    assert [event["event"] for event in events] == ["start", "metrics", "metrics", "end"]


@pytest.mark.parametrize(
    ("written", "read", "changed"),
    [
        ("clips.csv", "clips.csv", "clips.csv"),
        ("clips.csv", "clips.csv", "rejects.csv"),
        ("clips.csv", "clips.csv", "quality.parquet"),
        ("checkpoint.pt", "checkpoint.pt", "checkpoint.pt"),
        ("checkpoint.pt", "curve.csv", "curve.csv"),
    ],
)
def test_a_file_that_changed_since_its_stage_wrote_it_is_refused(
    tmp_path, monkeypatch, written, read, changed
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "off")
    output, following, damaged = (tmp_path / "a" / name for name in (written, read, changed))
    with stage_run.track_stage("crop", params={}, inputs={}, output=output):
        for path in {output, following, damaged}:
            path.write_bytes(b"key\na\n")
    write(tmp_path / "b" / "clips.csv", inputs={"files": [following]})
    damaged.write_bytes(b"key\nb\n")
    advice = f"{changed}: has changed since its stage wrote it; delete .*a/{read} and run again"
    with pytest.raises(SvfapError, match=advice):
        write(tmp_path / "c" / "clips.csv", inputs={"files": [following]})
    (output.parent / record.RECORD).unlink()
    write(tmp_path / "c" / "clips.csv", inputs={"files": [following]})


def test_files_that_no_stage_wrote_may_change(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "off")
    own, output = tmp_path / "own.pt", tmp_path / "checkpoint.pt"
    own.write_text("a")
    os.utime(own, (0, 0))
    write(output)
    own.write_text("b")
    write(tmp_path / "b" / "x.csv", inputs={"pretrained": [own]})
    events = record.read_record(output)
    content = "".join(json.dumps({**event, "digests": None}) + "\n" for event in events)
    (tmp_path / record.RECORD).write_text(content)  # as earlier versions wrote it
    output.write_text("changed")
    write(tmp_path / "b" / "x.csv", inputs={"model": [output]})


def test_a_stage_that_reads_and_writes_in_one_folder_keeps_the_digest(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "off")
    costs, table = tmp_path / "costs.csv", tmp_path / "benchmark.md"
    write(costs, stage="cost", params={"a": 1})
    os.utime(costs, (0, 0))
    write(table, inputs={"costs": [costs]})
    write(table, inputs={"costs": [costs]})
    costs.write_text("key\nb\n")
    with pytest.raises(SvfapError, match=r"costs.csv: has changed"):
        write(table, inputs={"costs": [costs]})


def test_parameters_are_flattened():
    assert record.flatten({"a": {"b": 1, "c": {"d": [2]}}}) == {"a.b": "1", "a.c.d": "[2]"}


def training(folder, toy_model, epochs):
    """Return the command line of a real fine-tuning, its job and its output."""
    shards = make_shards(folder / "shards", [0, 1] * 4)
    optim = OptimConfig(epochs=epochs, warmup_epochs=1, batch_size=4, lr=0.05)
    job = FinetuneJob(
        seed=3,
        task="classification",
        targets=("no", "yes"),
        stride=1,
        model=toy_model,
        finetune=FinetuneConfig(init="scratch", optim=optim, **PLAIN),
    )
    output = folder / "results" / "finetune" / "toy" / "1" / "checkpoint.pt"
    command = [
        *(sys.executable, "-m", "svfap", "finetune", "--config", job.model_dump_json()),
        *("--machine", '{"save_minutes": 1e-6}'),
        *("--shards", str(shards), "--output", str(output)),
    ]
    return command, job, output


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*type hint:UserWarning")
def test_a_training_that_is_killed_and_resumed_is_one_run_with_a_model_that_predicts(
    tmp_path, toy_model, database
):
    command, job, output = training(tmp_path, toy_model, 300)
    state = output.parent / "state" / "last.pt"
    with subprocess.Popen(command) as process:
        wait_for(lambda: state.exists() and record.run_id(output))
        process.kill()
    first = record.run_id(output)
    subprocess.run(command, check=True)
    wait_for(lambda: runs(database)[0][str(output)].info.status == "FINISHED")
    found, client = runs(database)
    (run,) = found.values()
    assert run.info.run_id == first
    written = [e for e in record.read_record(output) if "loss" in e.get("metrics", ())]
    assert len(client.get_metric_history(first, "loss")) == len(written) >= 120
    (used,) = run.inputs.dataset_inputs
    assert json.loads(used.dataset.profile) == {"clips": 8, "targets": ["no", "yes"]}
    assert used.tags[0].value == "training"
    set_tracking_uri(database)
    model = pyfunc.load_model(f"models:/{run.outputs.model_outputs[0].model_id}")
    assert (run.data.params["dataset"], run.data.params["fold"]) == ("toy", "1")
    store = ClipStore([tmp_path / "shards" / "index.parquet"])
    videos = np.stack([store.frames(clip, range(store.length(clip))) for clip in range(8)])
    network, _ = load_model(output)
    views = EvaluateJob(views=job.finetune.views)
    scores = scoring.predict(network, store, job, views, shown=False).scores
    expected = scores.reshape(8, -1, 2).mean(1)
    found = model.predict(videos, params={"input": "crops"})
    assert np.allclose(found[["no", "yes"]], expected, atol=1e-6)


@contextlib.contextmanager
def server(folder, port):
    """Run a real MLflow server; kill it with SIGKILL at the end of the block."""
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)),
        *("--backend-store-uri", f"sqlite:///{folder}/server.db", "--workers", "1"),
        *("--artifacts-destination", str(folder / "artifacts")),
    ]
    environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            wait_for(lambda: answers(f"http://127.0.0.1:{port}/health"))
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.long
def test_a_server_that_is_killed_midway_costs_a_warning_and_is_synced_later(
    tmp_path, toy_model, monkeypatch, capsys
):
    port = free_port()
    command, _, output = training(tmp_path, toy_model, 200)
    with server(tmp_path, port) as uri:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        wait_for(lambda: record.run_id(output))
        assert process.poll() is None
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0
    assert said.count("does not answer") == 1, said
    assert output.is_file()
    assert main(["sync-tracking", str(tmp_path / "results")]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("svfap sync-tracking: error: MLflow at ")
    with server(tmp_path, port):
        sync = [sys.executable, "-m", "svfap", "sync-tracking", str(tmp_path / "results")]
        said = [
            subprocess.run(sync, capture_output=True, text=True, check=True).stdout
            for _ in range(2)
        ]
        assert said[0].startswith("1 runs")
        assert " 0 metrics" not in said[0]
        assert said[1].strip().endswith("0 new, 0 metrics that were missing")
        found, client = runs(uri)
        (run,) = found.values()
        assert run.info.status == "FINISHED"
        written = [e for e in record.read_record(output) if "loss" in e.get("metrics", ())]
        for key in ("loss", "lr"):
            assert len(client.get_metric_history(run.info.run_id, key)) == len(written)
        assert {file.path for file in client.list_artifacts(run.info.run_id)} == {"curve.csv"}
        assert len(run.outputs.model_outputs) == 1


@pytest.mark.slow
def test_a_server_that_needs_a_password_is_reached_and_the_password_is_shown_nowhere(
    tmp_path, monkeypatch, capsys
):
    """In runs, uploads, `sync-tracking`, the list of processes, and after a wrong password."""
    folder, temporary = tmp_path / "results", tmp_path / "temporary"
    temporary.mkdir()
    seen = set()
    with (
        server(tmp_path, free_port()) as uri,
        basic_auth_proxy(uri, "ann@lab", "p@ss/w0rd") as proxy,
    ):
        for number, password in enumerate(("p%40ss%2Fw0rd", "wr0ngw0rd")):
            login = f"http://ann%40lab:{password}@{proxy}"
            monkeypatch.setenv("MLFLOW_TRACKING_URI", login)
            command = [sys.executable, "-c", FOLD, str(folder / str(number) / "x.csv")]
            environment = os.environ | {"TMPDIR": str(temporary)}
            log = tmp_path / f"{number}.log"
            with (
                log.open("w") as file,
                subprocess.Popen(command, env=environment, stderr=file) as s,
            ):
                while s.poll() is None:
                    seen |= {*command_lines()}
                    time.sleep(0.2)
            assert s.returncode == 0
        assert not (tmp_path / "0.log").read_text()
        assert "refuses the user or password" in (tmp_path / "1.log").read_text()
        assert main(["sync-tracking", str(folder)]) == 2
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://ann%40lab:p%40ss%2Fw0rd@{proxy}")
        assert main(["sync-tracking", str(folder)]) == 0
        said = capsys.readouterr()
        assert said.out.startswith(f"2 runs at http://{proxy}: 1 new, 1401 metrics")
        found, _ = runs(uri)
        assert {run.info.status for run in found.values()} == {"FINISHED"}
        assert record.run_id(folder / "0" / "x.csv", f"http://{proxy}")
    assert any("mlflow_writer" in line for line in seen)
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for secret in ("p@ss/w0rd", "p%40ss%2Fw0rd", "wr0ngw0rd"):
        assert secret not in said.out + said.err
        assert secret.encode() not in written
        assert not [line for line in seen if secret in line]


def command_lines():
    """Return the command lines of all processes."""
    listed = subprocess.run(
        ["ps", "-eww", "-o", "args"], capture_output=True, text=True, check=True
    )
    return listed.stdout.splitlines()


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def answers(address):
    try:
        with urllib.request.urlopen(address, timeout=1):
            return True
    except OSError:
        return False


def wait_for(condition):
    for _ in range(2400):
        with contextlib.suppress(Exception):
            if condition():
                return
        time.sleep(0.1)
    raise TimeoutError
