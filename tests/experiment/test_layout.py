"""Paths of outputs: made, taken apart, and the same again."""

from pathlib import Path

import pytest

from svfap.experiment import layout
from svfap.experiment.layout import FINETUNED, PREDICTIONS, PRETRAINED, SHARDS

NAMES = {"run": "", "dataset": "demo", "fold": "1"}


@pytest.mark.parametrize("run", ["", "variants/few/"])
@pytest.mark.parametrize("folder", ["results", "/a b/results", "/x/variants/y"])
def test_a_path_gives_back_its_names(folder, run):
    names = NAMES | {"run": run}
    path = PREDICTIONS.path(Path(folder), **names)
    assert path == Path(f"{folder}/{run}evaluate/demo/1/predictions.parquet")
    assert PREDICTIONS.parse(path, below=Path(folder)) == names


def test_a_results_folder_called_like_a_variant_needs_to_be_known():
    path = Path("/x/variants/y/evaluate/demo/1/predictions.parquet")
    assert PREDICTIONS.parse(path) == NAMES | {"run": "variants/y/"}
    assert PREDICTIONS.parse(path, below=Path("/x/variants/y")) == NAMES


def test_a_path_without_names_has_none_of_them():
    assert layout.COSTS.parse(Path("results/tables/costs.csv")) == {}
    assert layout.COSTS.parse(Path("results/tables/cost.csv")) is None


def test_any_folder_is_accepted_if_none_is_given():
    assert FINETUNED.parse(Path("/a/b/finetune/demo/1/checkpoint.pt")) == NAMES
    assert PRETRAINED.parse(Path("pretrain/checkpoint.pt")) == {"run": ""}
    assert SHARDS.parse(Path("d/shards/demo/p.1/index.parquet")) == {
        "dataset": "demo",
        "part": "p.1",
    }


@pytest.mark.parametrize(
    "path",
    [
        "results/finetune/demo/1/checkpointXpt",
        "results/finetune/demo/checkpoint.pt",
        "results/tables/finetune/demo/1/checkpoint.pt",
        "elsewhere/finetune/demo/1/checkpoint.pt",
    ],
)
def test_another_path_is_none(path):
    assert FINETUNED.parse(Path(path), below=Path("results")) is None


def test_relative_and_absolute_paths_agree():
    path = FINETUNED.path(Path("results"), dataset="demo", fold="1")
    assert FINETUNED.parse(path, below=Path.cwd() / "results") == NAMES


def test_a_template_keeps_its_names_for_rules():
    assert SHARDS.template(Path("data")) == "data/shards/{dataset}/{part}/index.parquet"
    curve = FINETUNED.beside(layout.CURVE)
    assert curve.template(Path("r")) == "r/{run}finetune/{dataset}/{fold}/curve.csv"


def test_folder_and_name_of_a_run():
    assert (layout.run_folder(""), layout.variant_of("")) == ("", "")
    assert layout.run_folder("few") == "variants/few/"
    assert layout.variant_of("variants/few/") == "few"
