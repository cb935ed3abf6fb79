"""The configuration: strict, typed, and helpful about mistakes."""

from pathlib import Path

import pytest
import yaml

from svfap.config import Config, CropConfig, FinetuneConfig, ModelConfig, PretrainConfig
from svfap.config.yaml_file import check, finetune_for, load, merge, parse
from svfap.errors import SvfapError

MINIMAL = {"datasets": {"demo": {}}, "finetune": {"init": "scratch"}}


def test_defaults_are_the_papers():
    config = check(MINIMAL)
    assert config.model.dim == 512
    assert config.model.depths == (12, 6, 3)
    assert config.pretrain.mask_ratio == 0.9
    assert config.pretrain.optim.lr == 3e-4
    assert config.finetune.optim.batch_size == 96
    assert config.finetune.layer_decay == 0.75


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"pretrain": {"optim": {"epoch": 3}}}, "did you mean 'pretrain.optim.epochs'?"),
        ({"pretrain": {"optim": {"workers": 3}}}, "move it to `machine.workers`"),
        ({"datasets": {"demo": {"finetune": {"optim": {"compile": True}}}}}, "`machine.compile`"),
        ({"machine": {"finetune": {"ring": 1}}}, "did you mean 'machine.finetune.ring_gb'?"),
        ({"modle": {}}, "did you mean 'model'?"),
        ({"datasets": {"demo": {"finetun": {}}}}, "did you mean 'datasets.demo.finetune'?"),
        ({"datasets": {"demo": {"finetune": {"flop": 1}}}}, "did you mean 'flip'?"),
        ({"model": {"dim": 50}}, "dim must be a multiple of heads"),
        ({"model": {"num_frames": 4}}, "num_frames must be a multiple of"),
        ({"model": {"image_size": 100}}, "image_size must be a multiple of patch_size"),
        ({"pretrain": {"mask_ratio": 2}}, "pretrain.mask_ratio: is 2; write a number below 1"),
        ({"pretrain": {"datasets": ["nobody"]}}, "'nobody' is not under `datasets`"),
        ({"finetune": {"init": "pretrained"}}, "pretrain needs `datasets` or a `checkpoint`"),
        ({"datasets": {"../etc": {}}}, "is '../etc'; it must match"),
        ({"datasets": {}}, "at least 1 item"),
        ({"crop": {"detector": "haar"}}, "'yunet', 'centerface', 'face-alignment' or"),
    ],
)
def test_mistakes_are_explained_in_one_line(values, message):
    with pytest.raises(SvfapError) as error:
        check(merge(MINIMAL, values) if values != {"datasets": {}} else values)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_overrides_of_a_dataset_win_key_by_key():
    config = check(merge(MINIMAL, {"datasets": {"demo": {"finetune": {"optim": {"epochs": 7}}}}}))
    chosen = finetune_for(config, "demo")
    assert chosen.optim.epochs == 7
    assert chosen.optim.batch_size == config.finetune.optim.batch_size
    assert chosen.layer_decay == config.finetune.layer_decay


def test_a_section_keeps_its_other_defaults():
    for name, section in (("finetune", FinetuneConfig()), ("pretrain", PretrainConfig())):
        config = check(merge(MINIMAL, {name: {"optim": {"epochs": 7}}}))
        expected = section.optim.model_copy(update={"epochs": 7})
        assert getattr(config, name).optim == expected


def test_sections_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        CropConfig().size = 3  # type: ignore[misc]


def test_sections_survive_json():
    for section in (ModelConfig(dim=64), FinetuneConfig(views=3), check(MINIMAL)):
        assert type(section).model_validate_json(section.model_dump_json()) == section


def test_the_default_config_is_the_demo():
    config = load(Path(__file__).parents[2] / "config" / "config.yaml")
    assert {*config.datasets} == {"demo", "demo_pretrain"}
    assert isinstance(config, Config)


@pytest.mark.parametrize("text", ["a: [1", "- just\n- a list"])
def test_yaml_that_is_none(tmp_path, text):
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(SvfapError, match="broken"):
        load(path)


def test_missing_file(tmp_path):
    with pytest.raises(SvfapError, match="cannot be read"):
        load(tmp_path / "none.yaml")


def test_small_numbers_as_yaml_writes_them():
    values = yaml.safe_load("datasets: {demo: {}}\nfinetune: {init: scratch, optim: {lr: 1e-4}}")
    assert check(values).finetune.optim.lr == 1e-4


def test_parse_names_where():
    with pytest.raises(SvfapError, match=r"^here: unknown key 'x'"):
        parse(CropConfig, {"x": 1}, where="here")
