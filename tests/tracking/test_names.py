"""Names and values reach MLflow whole, and come back as they were."""

import json

from hypothesis import given
from hypothesis import strategies as st
from mlflow import MlflowClient
from mlflow.utils.validation import _validate_param, _validate_tag

from svfap.__main__ import main
from svfap.tracking import mlflow_names, record

NAMES = st.text() | st.text("_x0/. (1f", max_size=12) | st.text("a/(", min_size=200, max_size=400)


@given(NAMES)
def test_mlflow_accepts_every_name_and_it_can_be_decoded(name):
    key = mlflow_names.encode(name)
    assert mlflow_names.decode(key) == name
    short = mlflow_names.shortened(key)
    _validate_param(short, "value")
    full = mlflow_names.full_names([name])
    assert [*full.values()] == ([] if short == key else [key])
    for tag, value in full.items():
        _validate_tag(tag, value)


def test_ordinary_names_stay():
    for name in ("uar", "a.b.c", "class happy", "mlflow.parentRunId", "upstream./x/y"):
        assert mlflow_names.encode(name) == name
    assert mlflow_names.encode("valence (1-9)") == "valence _x28_1-9_x29_"


@given(st.text(max_size=20) | st.integers(4990, 12000).map("é".__mul__))
def test_a_long_value_is_divided(value):
    parts = dict(mlflow_names.pairs({"key": value}))
    assert "".join(parts.values()) == value.replace("\0", r"\x00")
    for key, part in parts.items():
        _validate_param(key, part)


ODD = ("valence (1-9)", "ccc, 50% & 'x'@é", "a//b", "n" * 300)


def write_record(folder, number, **changes):
    start = {
        "event": "start",
        "experiment": "names",
        "stage": "evaluate",
        "name": f"results/{number}",
        "params": dict.fromkeys(ODD, "v" * 12_000),
        "tags": dict.fromkeys(ODD, "a"),
        "inputs": [],
    }
    path = folder / str(number) / record.RECORD
    record.begin(path, start | changes)
    record.append(path, {"event": "metrics", "metrics": dict.fromkeys(ODD, 0.5), "step": 1})
    record.append(path, {"event": "end", "status": "FINISHED", "artifacts": []})


def test_odd_names_are_sent_and_a_refused_record_stops_no_other(tmp_path, monkeypatch, capsys):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    write_record(tmp_path / "results", 0)
    table = {"path": "x", "name": "x", "digest": "d" * 99, "clips": 1, "context": "training"}
    write_record(tmp_path / "results", 1, inputs=[table])
    write_record(tmp_path / "results", 2)
    assert main(["sync-tracking", str(tmp_path / "results")]) == 2
    (said,) = capsys.readouterr().err.strip().splitlines()[-1:]
    assert "2 runs at" in said
    assert f"1 runs are not there: {tmp_path}/results/1/run.jsonl: refuses a record (" in said
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("names")
    found = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    for number in (0, 2):
        run = found[f"results/{number}"]
        assert run.info.status == "FINISHED"
        full = {mlflow_names.shortened(v): v for k, v in run.data.tags.items() if "svfap.name" in k}
        names = {mlflow_names.decode(full.get(key, key)) for key in run.data.metrics}
        assert names == {*ODD}
        text = "".join(run.data.params[f"valence _x28_1-9_x29_{part}"] for part in ("", ".part2"))
        assert json.dumps(text) == json.dumps("v" * 10_000)
