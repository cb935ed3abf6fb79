"""The configurations that come with the package: planned in full without any data present."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from helpers.shipped_configs import SHIPPED

from svfap.__main__ import main
from svfap.experiment import resolve

ROOT = Path(__file__).parents[2]
PAPER = yaml.safe_load((ROOT / "config" / "paper.yaml").read_text(encoding="utf-8"))
JOBS = {
    "paper": {
        "download": 11,
        "crop": 131,
        "shard": 131,
        "pretrain": 1,
        "finetune": 35,
        "evaluate": 35,
        "cost": 1,
        "tabulate": 1,
    },
    # 30 variants share the data, and 11 runs the pre-training of another, or have none
    "ablations": {
        "download": 2,
        "pretrain": 20,
        "finetune": 31,
        "evaluate": 31,
        "cost": 1,
        "tabulate": 1,
    },
}
APPLY = ["VoxCeleb2", "DFEW", "FERV39k", "MAFW", "Werewolf-XL", "AVCAffe-arousal", "ChaLearn"]
PAPER_DATASETS = {*APPLY, "AVCAffe-valence", "CREMA-D", "RAVDESS", "eNTERFACE05"}


def snakemake(folder: Path, config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = str(Path(sys.executable).parent / "snakemake")
    base = ("--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder), "--cores", "1")
    command = [program, *base, "--configfile", str(config), *arguments]
    environment = os.environ | {"MLFLOW_TRACKING_URI": "off"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_configuration_is_valid(path):
    plan = resolve.resolve(yaml.safe_load(path.read_text(encoding="utf-8")), where=path.name)
    for name in plan.labelled:
        assert plan.finetune_section(name).targets


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_configuration_is_planned_without_data(path, tmp_path):
    done = snakemake(tmp_path, path, "--dry-run")
    assert done.returncode == 0, done.stderr[-2000:]
    lines = done.stdout.split("Job stats:")[-1].splitlines()
    planned = {cells[0]: cells[1] for line in lines if len(cells := line.split()) == 2}
    assert int(planned["tabulate"]) == 1
    if path.stem in JOBS:
        expected = JOBS[path.stem]
        assert {rule: int(planned[rule]) for rule in expected} == expected


def test_the_paper_is_reproduced_on_all_of_its_datasets():
    plan = resolve.resolve(PAPER, where="paper.yaml")
    assert plan.config.pretrain.datasets == ("VoxCeleb2",)
    assert {*plan.datasets} == PAPER_DATASETS
    assert plan.finetune_section("FERV39k").stride == 1
    assert plan.finetune_section("RAVDESS").targets[1] == "calm"
    assert plan.finetune_section("DFEW").finetune.optim.epochs == 100
    assert plan.finetune_section("ChaLearn").finetune.mixup == 0
    assert all(plan.datasets[name].notice == "" for name in plan.datasets)


@pytest.mark.parametrize("name", APPLY)
def test_an_absent_dataset_of_the_paper_gives_one_line(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    config = resolve.resolve(PAPER, where="paper.yaml").download_section(name).model_dump_json()
    output = f"data/raw/{name}/manifest.csv"
    assert main(["download", "--config", config, "--dataset", name, "--output", output]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith(f"svfap download: error: {name}: no `")
    assert line.endswith(f"then run: python -m svfap datasets {name}")


def test_snakemake_shows_the_message_of_each_and_no_stack(tmp_path):
    (tmp_path / "two.yaml").write_text(
        "datasets: {DFEW: {}, MAFW: {}}\nfinetune: {init: scratch}\n"
    )
    done = snakemake(tmp_path, tmp_path / "two.yaml", "--until", "download", "--keep-going")
    assert done.returncode == 1
    shown = done.stdout + done.stderr
    assert "Traceback" not in shown
    for name in ("DFEW", "MAFW"):
        assert shown.count(f"svfap download: error: {name}: no `") == 1


def test_held_back_parts_are_validated_on_and_nothing_else(tmp_path):
    path = tmp_path / "held.yaml"
    path.write_text("datasets: {CREMA-D: {validation: 0.1}}\nfinetune: {init: scratch}\n")
    done = snakemake(tmp_path, path, "--dry-run", "--printshellcmds")
    (command,) = (
        line
        for line in done.stdout.splitlines()
        if "finetune/CREMA-D/actors1001-1018" in line and "svfap.launch" in line
    )
    trained, validated = command.split("--shards")[1].split("--output")[0].split("--validation")
    assert "1019" in trained
    assert "validation" not in trained
    assert "actors1001-1018" not in trained + validated
    assert len(validated.split()) == 4
    assert all("-validation/" in shard for shard in validated.split())
