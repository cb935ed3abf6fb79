"""Paths, doubled keys, reserved names and misspelt keys are told when the configuration is read."""

from pathlib import Path

import pytest

from svfap import doctor
from svfap.config import DatasetConfig
from svfap.config.yaml_file import check, load, merge, read
from svfap.errors import SvfapError
from svfap.experiment import resolve, runs

MINIMAL = {"datasets": {"demo": {}}, "finetune": {"init": "scratch"}}


def error_of(values, **keys) -> str:
    with pytest.raises(SvfapError) as caught:
        resolve.resolve(merge(MINIMAL, values), where="config", **keys)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / "model.pt"
    path.write_bytes(b"weights")
    return path


def test_a_missing_checkpoint_is_told_before_the_first_job(tmp_path, checkpoint):
    assert "pretrain.checkpoint: none.pt does not exist" in error_of(
        {"pretrain": {"checkpoint": "none.pt"}}
    )
    assert "is a folder" in error_of({"pretrain": {"checkpoint": str(tmp_path)}})
    checkpoint.write_bytes(b"")
    assert "is empty" in error_of({"pretrain": {"checkpoint": str(checkpoint)}})


def test_a_variants_checkpoint_is_checked_too(checkpoint):
    variants = {"mine": {"pretrain": {"checkpoint": str(checkpoint)}}}
    experiment = resolve.resolve(merge(MINIMAL, {"variants": variants}), where="config")
    assert len(runs.expand(experiment)) == 2
    checkpoint.unlink()
    with pytest.raises(SvfapError, match=r"variants.mine: pretrain.checkpoint: .* does not exist"):
        runs.expand(experiment)


def test_doctor_tells_it(tmp_path, monkeypatch):
    path = tmp_path / "mine.yaml"
    path.write_text("datasets: {demo: {}}\npretrain: {checkpoint: none.pt}\n")
    state, line = next(doctor.lines(["--configfile", str(path)]))
    assert state == doctor.FIX
    assert "none.pt does not exist" in line


def test_home_and_variables_are_expanded(tmp_path, monkeypatch, checkpoint):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SCRATCH", str(tmp_path / "scratch"))
    values = {
        "data": "~/d",
        "results": "$SCRATCH/r",
        "pretrain": {"checkpoint": "${HOME}/model.pt"},
    }
    config = check(merge(MINIMAL, values))
    assert config.data == tmp_path / "d"
    assert config.results == tmp_path / "scratch" / "r"
    assert config.pretrain.checkpoint == checkpoint
    assert DatasetConfig(csv="~/my.csv", root="~/copy").root == tmp_path / "copy"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("$NOBODY_SETS_THIS/x", "the variable 'NOBODY_SETS_THIS' is not set"),
        ("~no-such-person/x", "no such user"),
        ("C:\\data", "separate folders by '/'"),
        ("s3://bucket/data", "is an address"),
        ("https:/host/data", "is an address"),
        ("", "an empty path"),
    ],
)
def test_paths_that_cannot_be_meant(value, message):
    assert message in error_of({"data": value})


def test_a_file_in_the_place_of_a_folder(tmp_path, checkpoint):
    assert f"results: {checkpoint} is a file" in error_of({"results": f"{checkpoint}/results"})


def test_the_copy_of_a_dataset_must_exist_unless_it_is_downloaded(tmp_path):
    def names(dataset, root):
        values = {"data": str(tmp_path / "data"), "datasets": {dataset: {"root": str(root)}}}
        values["finetune"] = {"init": "scratch"}
        return [*resolve.resolve(values, where="test").datasets]

    with pytest.raises(SvfapError, match=r"datasets.DFEW.root: .*/none does not exist"):
        names("DFEW", tmp_path / "none")
    assert names("DFEW", tmp_path) == ["DFEW"]
    assert names("DFEW", tmp_path / "data" / "raw" / "DFEW") == ["DFEW"]
    assert names("RAVDESS", tmp_path / "none") == ["RAVDESS"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: 1\nseed: 2\n", "key 'seed' occurs twice, in lines 1 and 2"),
        ("datasets:\n  demo: {}\n  demo: {only: [1]}\n", "'demo' occurs twice, in lines 2 and 3"),
        ("finetune: {views: 1, views: 2}\n", "key 'views' occurs twice"),
    ],
)
def test_a_key_that_occurs_twice(tmp_path, text, message):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(SvfapError, match=message):
        load(path)


def test_yaml_anchors_and_merges_still_work(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\nc: *a\n")
    assert read(path) == {"a": {"x": 1, "y": 2}, "b": {"x": 3, "y": 2}, "c": {"x": 1, "y": 2}}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"datasets": {"pretrain": {}}}, "datasets.pretrain: this name is reserved"),
        ({"datasets": {"Demo": {}}}, "differ only in upper and lower case"),
        ({"results": "x/variants/r1"}, "looks like the folder of a variant"),
        ({"datasets": {"dfew": {"csv": "my.csv"}}}, "give your own videos another name"),
        ({"epochs": 3}, "did you mean 'pretrain.optim.epochs' or 'finetune.optim.epochs'?"),
        ({"finetune": {"epochs": 3}}, "'finetune.optim.epochs'"),
        ({"epoch": 3}, "'pretrain.optim.epochs' or 'finetune.optim.epochs'?"),
        ({"checkpoint": "m.pt"}, "did you mean 'pretrain.checkpoint'?"),
        ({"result": "x"}, "did you mean 'results'?"),
    ],
)
def test_reserved_and_misspelt_keys(values, message):
    assert message in error_of(values)


def test_paths_are_expanded_once(monkeypatch):
    """A section travels to its stage as JSON, where it is checked again."""
    config = DatasetConfig(root=Path("/a"))
    assert DatasetConfig.model_validate_json(config.model_dump_json()) == config
