"""The workflow as a part of another, from elsewhere, and in an image without its packages."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from helpers.toy_project import CONFIG, ROOT, command

OTHERS = f"""
configfile: "mine.yaml"

module faces:
    snakefile: "{ROOT}/workflow/Snakefile"
    config: config
    prefix: "inner"

use rule * from faces as faces_*

rule mine:
    default_target: True
    input: rules.faces_cost.output
    output: "inner.txt"
    shell: "cp {{input[0]}} {{output}}"

onstart: faces.onstart()
onsuccess: faces.onsuccess()
onerror: faces.onerror()
"""


@pytest.fixture
def folder(tmp_path):
    """A folder with a list of four videos and a configuration of them."""
    rows = [f"{n}.mp4,{'ab'[n % 2]},{1 + n // 2}" for n in range(4)]
    (tmp_path / "my.csv").write_text("\n".join(["path,label,fold", *rows]) + "\n")
    finetune = CONFIG["finetune"] | {"init": "scratch"}
    config = {"datasets": {"toy": {"csv": "my.csv"}}, "model": CONFIG["model"]}
    for name in ("mine.yaml", "toy.yaml"):
        (tmp_path / name).write_text(yaml.safe_dump(config | {"finetune": finetune}))
    return tmp_path


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW")}
    return subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_another_workflow_contains_it_below_a_folder_of_its_own(folder):
    (folder / "Snakefile").write_text(OTHERS)
    program = str(Path(sys.executable).parent / "snakemake")
    done = run(folder, program, "--cores", "1")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "parameters" in (folder / "inner.txt").read_text()
    assert (folder / "inner/results/mlflow.db").is_file()
    assert (folder / "inner/results/tracking/run.jsonl").is_file()
    assert not (folder / "results").exists()


def test_from_elsewhere_by_either_snakefile(folder):
    for name in ("Snakefile", "workflow/Snakefile"):
        words = command(folder, "--dry-run")
        words[words.index("--snakefile") + 1] = str(ROOT / name)
        done = run(folder, *words)
        assert done.returncode == 0, done.stderr[-3000:]
        assert "tabulate" in done.stdout


def test_it_is_read_without_the_packages_of_the_jobs(folder):
    words = command(folder, "--dry-run")[1:]
    script = str(ROOT / "tests/helpers/lean_parse.py")
    done = run(folder, sys.executable, script, *words)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "tabulate" in done.stdout


def test_the_small_configuration_for_tests_plans_a_run(tmp_path):
    shutil.copytree(ROOT / ".test", tmp_path / "test")
    program = str(Path(sys.executable).parent / "snakemake")
    words = ("--snakefile", str(ROOT / "Snakefile"), "--directory", str(tmp_path / "test"))
    done = run(tmp_path, program, *words, "--dry-run", "--cores", "1")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "tabulate" in done.stdout
