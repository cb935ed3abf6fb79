"""Variables that another launcher left in the environment are told and ignored."""

import os
import subprocess
import sys

import pytest
from helpers.toy_shards import make_shards

from svfap.config import FinetuneConfig, OptimConfig
from svfap.config.stage_sections import FinetuneJob
from svfap.experiment.job_environment import forget_other_launchers


@pytest.mark.parametrize(
    ("program", "left"),
    [
        (["svfap"], {"WORLD_SIZE": "2", "RANK": "0"}),
        (
            ["svfap.launch", "1"],
            {"WORLD_SIZE": "4", "RANK": "3", "MASTER_ADDR": "10.0.0.1", "MASTER_PORT": "23456"},
        ),
    ],
)
def test_a_stage_runs_alone_and_says_what_it_found(tmp_path, toy_model, program, left):
    """Kubeflow sets these variables; the stage waited for ever, or wrote no file."""
    config = FinetuneConfig(init="scratch", optim=OptimConfig(epochs=1, warmup_epochs=0))
    job = FinetuneJob(
        seed=0,
        task="classification",
        targets=("a", "b"),
        stride=1,
        model=toy_model,
        finetune=config,
    )
    output = tmp_path / "out" / "checkpoint.pt"
    command = [sys.executable, "-m", *program, "finetune", "--config", job.model_dump_json()]
    command += ["--shards", str(make_shards(tmp_path, [0, 1])), "--output", str(output)]
    environment = os.environ | left
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True, timeout=600
    )
    assert output.is_file()
    place = " ".join(f"{name}={left[name]}" for name in ("WORLD_SIZE", "RANK") if name in left)
    assert f"{place} in the environment is of another launcher" in done.stderr


def test_torchrun_is_obeyed(monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert forget_other_launchers() == ""
    assert os.environ["WORLD_SIZE"] == "2"
    assert "WORLD_SIZE=2" in forget_other_launchers(launching=True)
    assert "WORLD_SIZE" not in os.environ


def test_one_process_is_no_warning(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "1")
    monkeypatch.setenv("RANK", "0")
    assert forget_other_launchers() == ""
