"""What each stage is handed: just what it depends on."""

import os
import sys
from pathlib import Path

import pytest

from svfap.config.yaml_file import merge
from svfap.errors import SvfapError
from svfap.experiment import resolve

DEMO = {
    "datasets": {"demo": {}, "demo_pretrain": {}},
    "pretrain": {"datasets": ["demo_pretrain"]},
}


def plan(**changes):
    return resolve.resolve(merge(DEMO, changes), where="config")


def test_finetuning_is_handed_the_facts_of_its_dataset():
    job = plan().finetune("demo")
    assert job.targets[0] == "happy"
    assert len(job.targets) == 7
    assert job.task == "classification"
    assert "Synthetic" in job.notice


def test_a_change_reaches_only_the_jobs_that_depend_on_it():
    before, after = plan(), plan(finetune={"layer_decay": 0.5})
    assert before.pretrain() == after.pretrain()
    assert before.download("demo") == after.download("demo")
    assert before.tabulate() == after.tabulate()
    assert before.finetune("demo") != after.finetune("demo")


def test_fine_tuning_keys_of_a_dataset_do_not_reach_its_download():
    changed = plan(datasets={"demo": {"finetune": {"flip": 0.0}}})
    assert changed.download("demo") == plan().download("demo")
    assert changed.finetune("demo").finetune.flip == 0


def test_tables_are_told_every_notice():
    tabulate = plan().tabulate()
    assert {*tabulate.datasets} == {"demo"}
    assert "Synthetic faces" in tabulate.datasets["demo"].notice
    assert "Synthetic faces" in tabulate.pretrain_notice
    assert plan().pretrain().notice == tabulate.pretrain_notice


@pytest.mark.parametrize(
    ("changes", "pretrains"),
    [
        ({}, True),
        ({"pretrain": {"checkpoint": "model.pt"}}, False),
        ({"finetune": {"init": "scratch"}}, False),
    ],
)
def test_pretraining_is_planned_only_where_it_is_needed(changes, pretrains):
    assert plan(**changes).pretrains is pretrains


def test_a_plan_needs_labels():
    with pytest.raises(SvfapError, match="no dataset with labels"):
        resolve.resolve(
            {"datasets": {"demo_pretrain": {}}, "finetune": {"init": "scratch"}}, where="config"
        )


def test_an_unlabelled_dataset_cannot_be_fine_tuned():
    with pytest.raises(SvfapError, match="no labels"):
        plan().finetune("demo_pretrain")


def test_jobs_find_this_environment(monkeypatch):
    monkeypatch.setenv("PATH", "/bin")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    resolve.set_environment(Path("out"))
    assert os.environ["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)
    assert os.environ["MLFLOW_TRACKING_URI"] == "sqlite:///out/mlflow.db"
    assert os.environ["MLFLOW_EXPERIMENT_NAME"] == f"{Path.cwd().name}/out"
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME")
