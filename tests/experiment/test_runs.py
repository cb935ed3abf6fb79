"""Variants: what they change, what they share, and what is wrong with them."""

from pathlib import Path

import pytest
import yaml

from svfap.config.yaml_file import merge
from svfap.errors import SvfapError
from svfap.experiment import resolve, runs
from svfap.tables.paper import rows_of

ROOT = Path(__file__).parents[2]
BASE = {
    "datasets": {"demo": {}, "demo_pretrain": {}},
    "pretrain": {"datasets": ["demo_pretrain"]},
}


def expand(variants, **changes):
    return runs.expand(
        resolve.resolve(merge(BASE, {"variants": variants} | changes), where="config")
    )


def test_without_variants_there_is_the_main_run_at_the_old_paths():
    (run,) = expand({}).values()
    assert (run.name, run.folder, run.pretrained_in, run.pretrains_itself) == ("", "", "", True)
    assert runs.tabulate_section({"": run}).runs == {}


def test_a_variant_changes_its_keys_and_no_others():
    found = expand({"v": {"pretrain": {"mask_ratio": 0.75}, "model": {"depths": [12, 8, 4]}}})
    main, varied = (run.experiment.config for run in found.values())
    assert varied.pretrain.mask_ratio == 0.75
    assert varied.model.depths == (12, 8, 4)
    assert varied.finetune == main.finetune
    assert varied.pretrain.datasets == main.pretrain.datasets


def test_equal_pretraining_is_made_once_by_the_first_that_needs_it():
    found = expand(
        {
            "mask": {"pretrain": {"mask_ratio": 0.75}},
            "few": {"finetune": {"fraction": 0.1}},
            "both": {"pretrain": {"mask_ratio": 0.75}, "finetune": {"fraction": 0.1}},
            "scratch": {"finetune": {"init": "scratch"}},
            "seed": {"seed": 1},
            "tuned": {"seed": 1, "pretrain": {"seed": 0}},
        }
    )
    assert {run.name: run.pretrained_in for run in found.values()} == {
        "": "",
        "mask": "variants/mask/",
        "few": "",
        "both": "variants/mask/",
        "scratch": None,
        "seed": "variants/seed/",
        "tuned": "",
    }


def test_runs_that_differ_in_their_seed_are_known():
    found = expand(
        {
            "a": {"seed": 1},
            "b": {
                "seed": 2,
                "pretrain": {"seed": 0},
                "datasets": {"demo": {"only": ["subjects1"]}},
            },
            "c": {"finetune": {"flip": 0}},
            "d": {"finetune": {"flip": 0}, "seed": 1},
            "e": {"datasets": {"demo": {"finetune": {"flip": 0}}}},
        }
    )
    facts = runs.tabulate_section(found).runs
    assert {name: fact.seed_of for name, fact in facts.items()} == {
        "a": "",
        "b": "",
        "c": None,
        "d": "c",
        "e": None,
    }
    assert facts["b"].folds == {"demo": ("subjects1",)}


def test_chosen_datasets_and_folds():
    two = merge(BASE, {"datasets": {"RAVDESS": {"only": ["actors01-04"]}}})
    plan = resolve.resolve(merge(two, {"variants": {"v": {"datasets": {"demo": {}}}}}), where="c")
    main, varied = runs.expand(plan).values()
    assert [*main.experiment.folds("RAVDESS")] == ["actors01-04"]
    assert [*varied.experiment.labelled] == ["demo"]
    assert "demo_pretrain" in varied.experiment.datasets
    assert plan.tabulate_section().datasets["RAVDESS"].folds == tuple(
        plan.datasets["RAVDESS"].folds
    )
    assert plan.download_section("RAVDESS") == resolve.resolve(
        merge(BASE, {"datasets": {"RAVDESS": {}}}), where="c"
    ).download_section("RAVDESS")


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        ({"pretrain": {"mask_ration": 0.5}}, r"variants\.v: .*did you mean 'pretrain\.mask_ratio'"),
        ({"datasets": {"DFEW": {}}}, r"variants\.v\.datasets: 'DFEW' is not a dataset with labels"),
        (
            {"datasets": {"demo": {"only": ["x"]}}},
            r"datasets\.demo\.only: no fold 'x'; choose",
        ),
        ({"model": {"dim": 100}}, r"variants\.v: .*dim must be a multiple of heads"),
        ({"datasetz": {}}, r"did you mean 'variants\.v\.datasets'"),
    ],
)
def test_mistakes_are_one_line(variant, message):
    with pytest.raises(SvfapError, match=message) as caught:
        expand({"v": variant})
    assert "\n" not in str(caught.value)


def test_the_papers_ablations_match_the_papers_rows():
    values = yaml.safe_load((ROOT / "config" / "ablations.yaml").read_text(encoding="utf-8"))
    found = runs.expand(resolve.resolve(values, where="ablations.yaml"))
    facts = runs.tabulate_section(found).runs.values()
    ours = {(fact.ablation, fact.label) for fact in facts}
    paper = {(row["ablation"], row["setting"]) for row in rows_of("paper_ablations")}
    defaults = {(r["ablation"], r["setting"]) for r in rows_of("paper_ablations") if r["main"]}
    assert paper - ours == defaults
    assert {title for title, _ in ours} - {title for title, _ in paper} == {
        "Epochs",
        "From scratch",
        "Few shots",
        "",
    }
    assert sum(run.pretrains_itself for run in found.values()) == 20
    assert found["variants/fusion-finetune/"].pretrained_in == "variants/fusion-none/"


def test_the_cost_section_has_each_run():
    config = runs.cost_section(expand({"v": {"model": {"bottleneck_tokens": 4}}}))
    assert [job.model.bottleneck_tokens for job in config.runs.values()] == [8, 4]
    assert config.runs[""].outputs == 7
