"""The section of each stage: what its output depends on and no more."""

from dataclasses import replace

import pytest

from svfap.config.yaml_file import merge
from svfap.errors import SvfapError
from svfap.experiment import resolve

DEMO = {
    "datasets": {"demo": {}, "demo_pretrain": {}},
    "pretrain": {"datasets": ["demo_pretrain"]},
}


def experiment(**changes):
    return resolve.resolve(merge(DEMO, changes), where="config")


def test_finetuning_receives_the_facts_of_its_dataset():
    job = experiment().finetune_section("demo")
    assert job.targets[0] == "happy"
    assert len(job.targets) == 7
    assert job.task == "classification"
    assert "Synthetic" in job.notice


def test_a_change_reaches_only_the_jobs_that_depend_on_it():
    before, after = experiment(), experiment(finetune={"layer_decay": 0.5})
    assert before.pretrain_section() == after.pretrain_section()
    assert before.download_section("demo") == after.download_section("demo")
    assert before.tabulate_section() == after.tabulate_section()
    assert before.finetune_section("demo") != after.finetune_section("demo")


def test_fine_tuning_keys_of_a_dataset_do_not_reach_its_download():
    changed = experiment(datasets={"demo": {"finetune": {"flip": 0.0}}})
    assert changed.download_section("demo") == experiment().download_section("demo")
    assert changed.finetune_section("demo").finetune.flip == 0


def test_tables_receive_every_notice():
    tabulate = experiment().tabulate_section()
    assert {*tabulate.datasets} == {"demo"}
    assert "Synthetic faces" in tabulate.datasets["demo"].notice
    assert "Synthetic faces" in tabulate.pretrain_notice
    assert experiment().pretrain_section().notice == tabulate.pretrain_notice


@pytest.mark.parametrize(
    ("changes", "pretrains"),
    [
        ({}, True),
        ({"pretrain": {"checkpoint": __file__}}, False),
        ({"finetune": {"init": "scratch"}}, False),
    ],
)
def test_pretraining_is_planned_only_if_it_is_needed(changes, pretrains):
    assert experiment(**changes).needs_pretraining is pretrains


def test_an_experiment_needs_labels():
    with pytest.raises(SvfapError, match="no dataset with labels"):
        resolve.resolve(
            {"datasets": {"demo_pretrain": {}}, "finetune": {"init": "scratch"}}, where="config"
        )


def test_an_unlabelled_dataset_cannot_be_fine_tuned():
    with pytest.raises(SvfapError, match="no labels"):
        experiment().finetune_section("demo_pretrain")


def test_a_final_training_has_all_parts_and_changes_no_fold():
    before, after = experiment(), experiment(finetune={"final": True})
    assert not before.finals
    assert before.finetune_section("demo") == after.finetune_section("demo", "subjects1")
    assert after.finetune_section("demo", "final").finetune.final
    fold = after.finals["demo"]
    assert {*fold.train} == {*after.datasets["demo"].parts}
    assert len({*fold.train}) == len(fold.train)
    assert not fold.test


def test_a_fold_with_the_name_of_the_final_training_is_refused():
    found = experiment(finetune={"final": True})
    dataset = found.datasets["demo"]
    renamed = replace(dataset, folds={"final": next(iter(dataset.folds.values()))})
    with pytest.raises(SvfapError, match="a fold is called 'final'"):
        replace(found, datasets={"demo": renamed}).check_folds()
