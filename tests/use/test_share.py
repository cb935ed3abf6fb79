"""Shared models: the exported folder loads again, its card, ONNX and torch.export files."""

import json
import re
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import torch
from helpers.photo_videos import face_frames, save
from helpers.random_checkpoints import CLASSES, NOTICE, TRAITS, write_checkpoint
from safetensors import safe_open

import svfap
from svfap.__main__ import main
from svfap.errors import SvfapError
from svfap.evaluation import predictions
from svfap.evaluation.predictions import Predictions
from svfap.faces.detectors.weights import yunet_weights
from svfap.use import bundle, exchange
from svfap.use.fold_metrics import find_predictions, own_figure
from svfap.use.share import write_folder


def workflow(folder, toy_model, *, folds=("one", "two")):
    """Write a checkpoint and its predictions where the workflow does; return the checkpoint."""
    rng = np.random.default_rng(0)
    for fold in folds:
        keys = [f"{fold}{n}" for n in range(20)]
        scores = rng.dirichlet(np.ones(3), 20)
        found = Predictions(
            "demo",
            fold,
            keys,
            keys,
            ["s"] * 20,
            np.zeros(20, int),
            rng.integers(0, 3, (20, 1)),
            scores,
        )
        predictions.write(folder / "evaluate" / "demo" / fold / "predictions.parquet", found)
    path = folder / "finetune" / "demo" / folds[0] / "checkpoint.pt"
    path.parent.mkdir(parents=True)
    return write_checkpoint(
        path, toy_model, fps=25.0, origin={"datasets": ["VoxCeleb2"], "notice": "Old.", "clips": 5}
    )


def export(*arguments):
    return main(["export", *map(str, arguments)])


def test_an_exported_folder_predicts_the_same(tmp_path, toy_model):
    path, folder = workflow(tmp_path, toy_model), tmp_path / "shared"
    video = save(tmp_path / "face.mp4", face_frames(40))
    assert export(path, folder) == 0
    assert {file.name for file in folder.iterdir()} == {
        "model.safetensors",
        "config.json",
        "preprocessor_config.json",
        "metrics.json",
        "README.md",
        "LICENSE.md",
    }
    own, shared = svfap.load(path), svfap.load(folder)
    assert own.facts == shared.facts
    pd.testing.assert_frame_equal(own.predict(video), shared.predict(video))
    config = json.loads((folder / "config.json").read_text())
    assert config["id2label"] == {"0": "happy", "1": "surprise", "2": "sad"}
    with safe_open(folder / "model.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}
    assert export(folder, tmp_path / "again") == 0
    again = (tmp_path / "again" / "metrics.json").read_text()
    assert again == (folder / "metrics.json").read_text()


def test_the_card_names_data_licence_limits_and_metrics(tmp_path, toy_model):
    assert export(workflow(tmp_path, toy_model), tmp_path / "shared") == 0
    text = (tmp_path / "shared" / "README.md").read_text()
    assert text.startswith("---\nlibrary_name: svfap\n")
    for words in (
        f"**Trained on: {NOTICE} Pre-trained on: Old.**",
        "Fine-tuned on: demo (shows: nobody",
        "; licence: free",
        "Pre-trained on: VoxCeleb2 (",
        "Not for decisions about people",
        "## Intended use",
        "## Limits",
        "crop preset `auto`",
        "windows of 8 frames, every 2nd frame, at 25 frames per second",
        "happy, surprise, sad",
    ):
        assert words in text
    rows = json.loads((tmp_path / "shared" / "metrics.json").read_text())["figures"]
    assert {row["fold"] for row in rows} == {"one", "two", "pooled"}
    frame = predictions.by_clip(
        predictions.read(sorted(tmp_path.glob("evaluate/demo/*/predictions.parquet")))
    )
    right = [np.argmax(s) == t[0] for s, t in zip(frame["score"], frame["target"], strict=True)]
    (pooled,) = (r["value"] for r in rows if (r["fold"], r["metric"]) == ("pooled", "WAR"))
    assert pooled == pytest.approx(np.mean(right), abs=1e-6)
    assert "| demo | pooled | 40 | " in text
    assert f"{pooled:.4f}" in text


def test_a_model_s_own_test_figure_stands_beside_its_scores(tmp_path, toy_model):
    path, video = workflow(tmp_path, toy_model), save(tmp_path / "face.mp4", face_frames(40))
    assert export(path, tmp_path / "shared") == 0
    for source in (path, tmp_path / "shared"):
        model = bundle.load(source)
        said = own_figure(model)
        assert own_figure(model) is said  # the predictions are read once
        assert re.fullmatch(
            r"Tested on 40 clips of demo: UAR \d+\.\d; guessing gives 33\.3\.", said
        )
        out = tmp_path / f"out of {source.name}"
        assert main(["predict", str(video), "--checkpoint", str(source), "--output", str(out)]) == 0
        assert said in (out / "face.html").read_text()
        assert json.loads((out / "timeline.json").read_text())["tested"] == said
    unknown = write_checkpoint(tmp_path / "m.pt", toy_model, targets=TRAITS, task="regression")
    assert own_figure(bundle.load(unknown)).startswith("It is not known how well this model does")


def test_a_model_of_all_clips_is_taken_from_its_folder(tmp_path, toy_model, capsys):
    fold = workflow(tmp_path, toy_model)
    for folder in (tmp_path, fold.parents[1]):
        with pytest.raises(SvfapError, match=r"none of all clips; set finetune\.final: true"):
            bundle.load(folder)
    assert export(fold, tmp_path / "of a fold") == 0
    assert "fold one has not learnt from" in capsys.readouterr().out
    final = fold.parents[1] / "final" / "checkpoint.pt"
    final.parent.mkdir()
    write_checkpoint(final, toy_model, final=True)
    for number, source in enumerate((tmp_path, fold.parents[1], final)):
        assert bundle.load(source).name == str(final)
        assert export(source, tmp_path / f"shared{number}") == 0
        assert "has not learnt" not in capsys.readouterr().out
        text = (tmp_path / f"shared{number}" / "README.md").read_text()
        assert "| demo | pooled | 40 | " in text
        assert "learnt from all of their clips, so none of the figures is its own" in text
    assert export(fold, tmp_path / "of a fold again") == 0
    assert f"export {final} instead" in capsys.readouterr().out
    other = tmp_path / "finetune" / "other" / "final" / "checkpoint.pt"
    other.parent.mkdir(parents=True)
    other.touch()
    with pytest.raises(SvfapError, match="models of several datasets; name one"):
        bundle.load(tmp_path)


@pytest.mark.parametrize("run", ["", "variants/small/"])
@pytest.mark.parametrize("name", ["checkpoint.pt", "renamed.pt"])
def test_predictions_are_found_in_the_run_of_a_checkpoint(tmp_path, run, name):
    for other in ("", "variants/small/", "variants/large/"):
        for fold in ("one", "two"):
            path = tmp_path / other / "evaluate" / "demo" / fold / "predictions.parquet"
            path.parent.mkdir(parents=True)
            path.touch()
    found = find_predictions(tmp_path / run / "finetune" / "demo" / "one" / name)
    folder = tmp_path / run / "evaluate" / "demo"
    assert found == [folder / fold / "predictions.parquet" for fold in ("one", "two")]
    assert find_predictions(tmp_path / "elsewhere" / name) == []


def test_the_card_of_a_model_without_metrics_says_so(tmp_path, toy_model, capsys):
    path = write_checkpoint(tmp_path / "m.pt", toy_model, targets=TRAITS, task="regression")
    assert export(path, tmp_path / "shared") == 0
    assert "the card has no metrics" in capsys.readouterr().out
    assert "was not evaluated" in (tmp_path / "shared" / "README.md").read_text()


def test_a_hub_id_is_looked_up_as_the_hub_does(tmp_path, toy_model, monkeypatch):
    """The files are in the hub's cache, as after a download."""
    import huggingface_hub.constants as hub

    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    repository = tmp_path / "models--someone--faces"
    commit = "0123456789abcdef0123456789abcdef01234567"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    assert export(workflow(tmp_path, toy_model), repository / "snapshots" / commit) == 0
    for name in ("someone/faces", f"someone/faces@{commit}"):
        found = bundle.load(name)
        assert found.name == name
        assert found.facts.job.targets == CLASSES
    with pytest.raises(SvfapError, match="someone/else: no such file or folder here, and the hub"):
        bundle.load("someone/else")


@pytest.mark.slow
def test_onnx_and_torch_export_compute_what_the_model_does(tmp_path, toy_model):
    """Exported by a new process, which has not run a model before."""
    path, folder = write_checkpoint(tmp_path / "m.pt", toy_model), tmp_path / "shared"
    command = [sys.executable, "-m", "svfap", "export", path, folder, "--format", "onnx", "pt2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    model = bundle.load(path).scorer()
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    program = torch.export.load(folder / "model.pt2").module()
    for batch in (1, 3, 8):
        video = torch.randint(0, 256, (batch, 8, 32, 32, 3), dtype=torch.uint8)
        with torch.no_grad():
            own = [out.numpy() for out in model(video)]
            exported = [out.numpy() for out in program(video)]
        for a, b, c in zip(own, session.run(None, {"video": video.numpy()}), exported, strict=True):
            assert a.shape == b.shape == c.shape
            assert max(np.abs(a - b).max(), np.abs(a - c).max()) < 1e-5
    text = (folder / "README.md").read_text()
    assert "`model.onnx`" in text
    assert "any batch size" in text.replace("\n", " ")


@pytest.mark.slow
def test_an_onnx_file_says_what_it_holds_and_predicts(tmp_path, toy_model):
    path, folder = write_checkpoint(tmp_path / "m.pt", toy_model, fps=25.0), tmp_path / "shared"
    assert export(path, folder, "--format", "onnx", "int8") == 0
    video = save(tmp_path / "face.mp4", face_frames(40))
    expected = svfap.load(path).predict(video)
    for name, most in (("model.onnx", 1e-5), ("model.int8.onnx", 0.05)):
        session = onnxruntime.InferenceSession(folder / name)
        facts = session.get_modelmeta().custom_metadata_map
        assert json.loads(facts["labels"]) == [*CLASSES]
        sizes = [int(facts[key]) for key in ("size", "frames", "stride")]
        assert sizes == [32, 8, 2]
        assert json.loads(facts["fps"]) == 25
        assert np.allclose(json.loads(facts["mean"]), [0.485, 0.456, 0.406])
        assert facts["notice"] == f"Trained on: {NOTICE}"
        model = svfap.load(folder / name)
        found = model.predict(video)
        assert [*found] == [*expected]
        difference = (found[[*CLASSES]] - expected[[*CLASSES]]).abs().to_numpy()
        assert difference.max() < most
        assert (found["label"] == expected["label"]).all()
        assert model.features(video).shape == (len(expected), 24)
    graph = onnx.load(folder / "model.int8.onnx").graph
    assert {"MatMulInteger", "DynamicQuantizeLinear"} <= {node.op_type for node in graph.node}
    with pytest.raises(SvfapError, match=r"an ONNX file only predicts; name the checkpoint"):
        write_folder(bundle.load(folder / "model.onnx"), tmp_path)


def test_a_strange_onnx_file_is_refused(tmp_path):
    (tmp_path / "damaged.onnx").write_bytes(b"x")
    with pytest.raises(SvfapError, match=r"damaged.onnx: cannot be read .*; export the model"):
        bundle.load(tmp_path / "damaged.onnx")
    with pytest.raises(SvfapError, match=r"none.onnx: no such file"):
        bundle.load(tmp_path / "none.onnx")
    with pytest.raises(SvfapError, match=r"does not say what it is; write it with"):
        bundle.load(yunet_weights())


def test_a_file_that_differs_is_not_kept(tmp_path, toy_model, monkeypatch):
    monkeypatch.setattr(exchange, "TOLERANCE", -1.0)
    found = bundle.load(write_checkpoint(tmp_path / "m.pt", toy_model))
    with pytest.raises(SvfapError, match=r"differs from the model by .*; not written"):
        exchange.to_program(found, tmp_path / "m.pt2")
    assert not (tmp_path / "m.pt2").exists()


def test_mistakes_are_one_line(tmp_path, toy_model, capsys):
    path, folder = workflow(tmp_path, toy_model), tmp_path / "shared"
    assert export(path, folder) == 0
    assert export(path, folder) == 2
    assert "choose another folder, or add --overwrite" in capsys.readouterr().err
    assert export(path, folder, "--overwrite") == 0
    (folder / "model.safetensors").write_bytes(b"cut off")
    with pytest.raises(SvfapError, match=r"cannot be read .*; export the model again"):
        svfap.load(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(SvfapError, match=r"config\.json: cannot be read"):
        svfap.load(folder)
    assert export(path, tmp_path / "x", "--predictions", tmp_path / "none.parquet") == 2
    assert "no such predictions" in capsys.readouterr().err
