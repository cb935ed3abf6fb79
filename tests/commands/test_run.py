"""The command `run`: one line for a wrong configuration, Snakemake for a right one."""

import os
import subprocess
import sys

import pytest

from svfap.__main__ import main

INTERRUPTED = """
import os, signal, sys
from svfap import interrupts
interrupts.end_at_once()
interrupts.raise_once()
try:
    os.kill(os.getpid(), signal.SIGINT)
    signal.pause()
except KeyboardInterrupt:
    print("Snakemake ends its jobs", file=sys.stderr)
"""


@pytest.mark.parametrize("name", ["none.yaml", "folder", "wrong.yaml"])
def test_a_wrong_configuration_is_one_line(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "wrong.yaml").write_text("datasets:\n\tdemo: {}\n")
    assert main(["run", name]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith(f"svfap run: error: {name}: ")


def test_snakemake_gets_the_configuration_and_the_other_options(tmp_path):
    (tmp_path / "mine.yaml").write_text("datasets: {demo: {}}\nfinetune: {init: scratch}\n")
    done = subprocess.run(
        [sys.executable, "-m", "svfap", "run", "mine.yaml", "--dry-run"],
        cwd=tmp_path,
        env=os.environ | {"MLFLOW_TRACKING_URI": "off"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "finetune" in done.stdout
    assert "demo_pretrain" not in done.stdout  # mine.yaml, not the default


def test_after_ctrl_c_the_way_to_resume_is_the_last_line():
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=True
    )
    assert done.stderr.splitlines() == [
        "Snakemake ends its jobs",
        "svfap: interrupted; the same command resumes",
    ]
