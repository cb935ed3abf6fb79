"""The command `run`: one line for a wrong configuration, Snakemake for a right one."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest

from svfap.__main__ import main
from svfap.config import argument

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


def test_a_mistaken_configuration_is_told_the_right_one(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "mine.yaml").write_text("datasets: {demo: {}}\n")
    (tmp_path / "list.csv").write_text("path,label,subject\n")
    for command, advice in {
        ("run", "mine"): "did you mean config/mine.yaml?",
        ("plan", "mine.yaml"): "did you mean config/mine.yaml?",
        ("run", "list.csv"): "`svfap new list.csv` writes one for it",
        (
            "run",
            "--cores",
            "2",
            "config/mine.yaml",
        ): "write the configuration first: svfap run config/mine",
        ("new", "config/mine.yaml"): "is a configuration already: svfap run config/mine.yaml",
    }.items():
        assert main([*command]) == 2
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert advice in line


@pytest.mark.parametrize("given", [["x.yaml"], ["--configfile", "x.yaml"], []])
def test_every_command_takes_a_configuration_with_or_without_the_option(given):
    parser = argparse.ArgumentParser()
    argument.add_to(parser)
    parser.add_argument("--machine")
    expected = Path("x.yaml") if given else argument.DEFAULT
    for arguments in ([*given, "--machine", "h100"], ["--machine", "h100", *given]):
        assert argument.path_in(parser.parse_intermixed_args(arguments)) == expected


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


def test_a_report_needs_tables(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text("datasets: {demo: {}}\nfinetune: {init: scratch}\n")
    for option in ("--report", "--report=page.html"):
        assert main(["run", "mine.yaml", option]) == 2
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert line.endswith("results has no tables yet; run `svfap run mine.yaml` first")


def test_after_ctrl_c_the_way_to_resume_is_the_last_line():
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=True
    )
    assert done.stderr.splitlines() == [
        "Snakemake ends its jobs",
        "svfap: interrupted; the same command resumes",
    ]
