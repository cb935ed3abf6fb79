"""A logged MLflow model: it takes videos, URLs or crops, and gives the numbers of `svfap.load`."""

import functools
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np
import pandas as pd
import pytest
import yaml
from helpers.http_server import running
from helpers.photo_videos import face_frames, save
from helpers.random_checkpoints import CLASSES, write_checkpoint
from mlflow import pyfunc

import svfap
from svfap.errors import SvfapError
from svfap.evaluation import scoring
from svfap.experiment import layout
from svfap.tracking import record
from svfap.tracking.mlflow_copy import MlflowServer, RunCopy
from svfap.tracking.moved_results import mend
from svfap.training.checkpoint import load_model
from svfap.use.mlflow_input import local_videos
from svfap.use.mlflow_model import _load_pyfunc

pytestmark = pytest.mark.filterwarnings("ignore:.*type hint:UserWarning")


@functools.cache  # to create a database takes seconds
def log(results, toy_model):
    """Log a checkpoint as the stage finetune does; return the server, its run and checkpoint."""
    path = layout.FINETUNED.path(results, dataset="toy", fold="s.1")
    path.parent.mkdir(parents=True)
    write_checkpoint(path, toy_model)
    start = {
        "stage": "finetune",
        "name": str(path),
        "experiment": "toys",
        "params": {"targets": str(CLASSES), "task": "classification"},
        "tags": layout.place_of(path),
    }
    events = path.parent / record.RECORD
    record.begin(events, {"event": "start", **start})
    record.append(
        events, {"event": "end", "status": "FINISHED", "artifacts": [], "model": path.name}
    )
    server = MlflowServer(f"sqlite:///{results}/mlflow.db")
    copy = RunCopy(server, events)
    copy.write(record.read_record(path))
    return server, server.client.get_run(copy.run), path


def folder_of(client, run):
    """The folder of a run's model."""
    model = client.get_logged_model(run.outputs.model_outputs[0].model_id)
    return model, url2pathname(urlsplit(model.artifact_location).path)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return tmp_path_factory.mktemp("logged") / "results"


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    first = save(folder / "a face.mp4", face_frames(40))
    return [first, save(folder / "b.mp4", face_frames(30))]


def test_it_scores_paths_as_predict_does(results, toy_model, videos):
    server, run, checkpoint = log(results, toy_model)
    assert run.data.params | {"dataset": "toy", "fold": "s.1"} == run.data.params
    found, folder = folder_of(server.client, run)
    assert found.name == "toy-s_1"  # MLflow allows no "."
    model = pyfunc.load_model(folder)
    expected = svfap.load(checkpoint).predict(videos)
    texts = [str(path) for path in videos]
    for data in (
        videos,
        texts,
        np.array(texts),
        pd.DataFrame({"path": texts}),
        pd.DataFrame({"subject": ["x", "y"], "video": texts}),
        {"url": [path.as_uri() for path in videos]},
        pd.DataFrame({"id": [1, 2], "Video": texts}),
        [{"video": text} for text in texts],
    ):
        pd.testing.assert_frame_equal(model.predict(data), expected)
    one = svfap.load(checkpoint, hop=0.16).predict(videos[0])
    pd.testing.assert_frame_equal(model.predict(texts[0], params={"hop": 0.16}), one)
    names = [column.name for column in model.metadata.get_output_schema()]
    assert names == [*expected]
    assert [*model.metadata.load_input_example(folder)] == ["video"]


def test_it_scores_crops_when_told_so_as_testing_does(results, toy_model):
    server, run, checkpoint = log(results, toy_model)
    model = pyfunc.load_model(folder_of(server.client, run)[1])
    crops = np.random.default_rng(0).integers(0, 256, (2, 16, 32, 32, 3), dtype=np.uint8)
    network, job = load_model(checkpoint)
    expected = scoring.Scorer(network, job).eval().score([crop[::2] for crop in crops]).scores
    for data, told in (
        (crops, {"input": "crops"}),
        (list(crops), {"input": "crops"}),
        (crops.tolist(), {"input": "crops"}),
        (pd.DataFrame({"crops": list(crops)}), {}),
    ):
        table = model.predict(data, params=told)
        np.testing.assert_allclose(table[[*CLASSES]], expected, atol=1e-6)
        assert (table["label"] == table[[*CLASSES]].idxmax(axis=1)).all()
    # A model that version 0.1 logged has no parameters: it takes and returns arrays.
    old = _load_pyfunc(str(checkpoint)).predict(crops)
    np.testing.assert_allclose(old, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("data", "params", "words"),
    [
        (np.zeros((1, 16, 32, 32, 3), np.uint8), {}, "not as path or URL; crops of faces need"),
        (["none.mp4"], {}, "none.mp4: no such file"),
        ([], {}, "the input is empty"),
        ("", {}, "the path of a video is blank"),
        (pd.DataFrame({"video": [" "]}), {}, "the path of a video is blank"),
        (None, {}, "a video is given as NoneType, not as path or URL"),
        (5, {}, "a video is given as int, not as path or URL"),
        (b"a.mp4", {}, "a video is given as bytes, not as path or URL"),
        (None, {"input": "crops"}, "item 0 is no crops of a face"),
        (["a.mp4"], {"input": "frames"}, "input is 'frames'; choose videos or crops"),
        ([[[1, 2], [3]]], {"input": "crops"}, "item 0 is no crops of a face"),
        (pd.DataFrame({"a": ["x"], "b": ["y"]}), {}, "the columns are a, b; call the one"),
        (["a.mp4"], {"speaker": "both"}, "speaker is 'both'"),
    ],
)
def test_wrong_input_is_one_clear_line(tmp_path, toy_model, data, params, words):
    model = _load_pyfunc(str(write_checkpoint(tmp_path / "m.pt", toy_model)))
    with pytest.raises(SvfapError, match=words):
        model.predict(data, {"input": "videos"} | params)


def test_a_table_without_names_and_an_array_of_one_column(tmp_path, toy_model, videos):
    model = _load_pyfunc(str(write_checkpoint(tmp_path / "m.pt", toy_model)))
    texts = [[str(path)] for path in videos]
    expected = model.predict(videos, {"input": "videos"})
    for data in (pd.DataFrame(texts), np.array(texts), np.array(texts, dtype=object)):
        pd.testing.assert_frame_equal(model.predict(data, {"input": "videos"}), expected)


def test_a_url_is_downloaded_up_to_a_size_and_removed(videos):
    body = videos[0].read_bytes()
    with running() as server:
        server.script = lambda request, _: request.serve_range(body)
        url = f"{server.url}/a%20face.mp4?key=1"
        with local_videos([url, url]) as paths:
            assert [path.name for path in paths] == ["a face.mp4"] * 2
            assert paths[0].read_bytes() == body
        assert not paths[0].exists()
        with (
            pytest.raises(SvfapError, match=r"larger than 0 MB; download it by hand"),
            local_videos([url], most=1000),
        ):
            pass


def test_its_requirements_can_be_installed_elsewhere(results, tmp_path, toy_model):
    """Everything is on PyPI under a plain version, or in the model's folder."""
    server, run, _ = log(results, toy_model)
    _, folder = folder_of(server.client, run)
    lines = Path(folder, "requirements.txt").read_text().split()
    assert all(name and "+" not in version for name, version in (x.split("==") for x in lines))
    assert "svfap" not in "".join(lines)
    conda = yaml.safe_load(Path(folder, "conda.yaml").read_text())["dependencies"]
    assert conda[-1]["pip"] == lines
    code = (
        "import sys, importlib.metadata as m, mlflow\n"
        "model = mlflow.pyfunc.load_model(sys.argv[1])\n"
        "import svfap\n"
        "print(svfap.__file__)\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", code, folder],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip().startswith(folder)


def test_its_files_are_found_after_the_results_are_moved(results, tmp_path, toy_model):
    log(results, toy_model)
    shutil.copytree(results, tmp_path / "new place")
    mend(tmp_path / "new place" / "mlflow.db")
    client = MlflowServer(f"sqlite:///{tmp_path}/new place/mlflow.db").client
    (run,) = client.search_runs([client.get_experiment_by_name("toys").experiment_id])
    client.log_text(run.info.run_id, "table", "table.md")
    assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["table.md"]
    assert [*(tmp_path / "new place" / "mlflow-artifacts").rglob("table.md")]
    _, folder = folder_of(client, client.get_run(run.info.run_id))
    assert folder.startswith(str(tmp_path))
    assert pyfunc.load_model(folder).metadata.run_id == run.info.run_id


@pytest.mark.slow
def test_mlflow_serves_it(results, tmp_path, toy_model, videos):
    server, run, checkpoint = log(results, toy_model)
    _, folder = folder_of(server.client, run)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # MLflow starts `uvicorn` by name.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path}
    mlflow = [sys.executable, "-m", "mlflow", "models"]
    local = ["-m", folder, "--env-manager", "local"]
    expected = svfap.load(checkpoint).predict(videos)
    table = pd.DataFrame({"video": [str(path) for path in videos]})
    body = json.dumps({"dataframe_split": json.loads(table.to_json(orient="split"))})
    process = subprocess.Popen(
        [*mlflow, "serve", *local, "--port", str(port)], start_new_session=True, env=environment
    )
    try:
        assert scores(answer(port, body)) == scores(expected.to_dict(orient="records"))
    finally:
        os.killpg(process.pid, 15)
        process.wait()
    (tmp_path / "input.json").write_text(body)
    files = ["-i", str(tmp_path / "input.json"), "-o", str(tmp_path / "output.json")]
    subprocess.run([*mlflow, "predict", *local, *files], check=True, env=environment)
    written = json.loads((tmp_path / "output.json").read_text())["predictions"]
    assert scores(written) == scores(expected.to_dict(orient="records"))


def scores(rows):
    """Rows with numbers as a float32 has them."""
    return [{k: round(v, 6) if isinstance(v, float) else v for k, v in row.items()} for row in rows]


def answer(port, body):
    """Ask a server that may still be starting."""
    for _ in range(300):
        try:
            asked = urllib.request.Request(
                f"http://127.0.0.1:{port}/invocations",
                body.encode(),
                {"Content-Type": "application/json"},
            )
            with urllib.request.urlopen(asked) as found:
                return json.load(found)["predictions"]
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from None
        except OSError:
            time.sleep(0.2)
    raise AssertionError("the server does not start")
