"""Weights by way of timm: exported folders, the hub's cache, checkpoints, `meta`."""

import logging

import pytest
import timm
import torch
from helpers.random_checkpoints import CLASSES, write_checkpoint
from timm.models import _manipulate, load_checkpoint
from timm.models._hub import save_for_hf

import svfap
from svfap.errors import SvfapError
from svfap.models import Autoencoder, VideoModel
from svfap.models.positions import sinusoid_positions
from svfap.use import bundle, share

NAMES = ("svfap_base_patch16_160", "pretrain_svfap_small_patch16_160")


@pytest.fixture
def folder(tmp_path, toy_model):
    """A small model as `python -m svfap export` shares it."""
    shared = tmp_path / "shared"
    shared.mkdir()
    found = bundle.load(write_checkpoint(tmp_path / "checkpoint.pt", toy_model))
    share.write_folder(found, shared)
    return shared


def video(channels=3):
    torch.manual_seed(1)
    return torch.randn(2, channels, 8, 32, 32)


def expected(folder):
    return bundle.load(folder).network()(video())


@torch.no_grad()
def test_an_exported_folder(folder):
    model = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    assert torch.equal(model(video()), expected(folder))
    cfg = model.pretrained_cfg
    assert cfg["label_names"] == list(CLASSES)
    assert cfg["input_size"] == (3, 32, 32)
    assert (cfg["num_classes"], model.num_classes, model.num_features) == (3, 3, 24)


@torch.no_grad()
def test_an_exported_folder_adapts_to_other_classes_and_channels(folder):
    name = f"local-dir:{folder}"
    whole = timm.create_model(name, pretrained=True).eval()
    other = timm.create_model(name, pretrained=True, num_classes=7).eval()
    assert other(video()).shape == (2, 7)
    assert torch.equal(other.forward_features(video()), whole.forward_features(video()))
    grey = timm.create_model(name, pretrained=True, in_chans=1).eval()
    torch.testing.assert_close(grey(video(1)), whole(video(1).expand(-1, 3, -1, -1, -1)))
    same = video(1).expand(-1, 6, -1, -1, -1)
    six = timm.create_model(name, pretrained=True, in_chans=6).eval()
    torch.testing.assert_close(six(same), whole(same[:, :3]))
    stages = timm.create_model(name, pretrained=True, features_only=True).eval()(video())
    assert torch.equal(stages[2].flatten(2).mT, whole.forward_features(video()))


def test_a_folder_without_pretrained_says_that_weights_are_random(folder, caplog):
    with caplog.at_level(logging.WARNING):
        timm.create_model(f"local-dir:{folder}")
    assert "random weights; pretrained=True loads the folder's" in caplog.text


@torch.no_grad()
def test_the_hub_delivers_the_same(folder, tmp_path, monkeypatch):
    """The files are in the hub's cache, as after a download."""
    import huggingface_hub.constants as hub

    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    cache = tmp_path / "cache" / "models--lab--face"
    (cache / "refs").mkdir(parents=True)
    (cache / "refs" / "main").write_text("0" * 40)
    (cache / "snapshots").mkdir()
    folder.rename(snapshot := cache / "snapshots" / ("0" * 40))
    model = timm.create_model("hf-hub:lab/face", pretrained=True, cache_dir=tmp_path / "cache")
    assert torch.equal(model.eval()(video()), expected(snapshot))


@torch.no_grad()
def test_a_checkpoint_of_a_training(tmp_path, folder, toy_model):
    path = tmp_path / "checkpoint.pt"
    given = {"pretrained_cfg_overlay": {"file": str(path), "num_classes": 3}, "pretrained": True}
    for options in ({"checkpoint_path": path}, given):
        model = timm.create_model(NAMES[0], num_classes=3, **toy_model.model_dump(), **options)
        assert torch.equal(model.eval()(video()), expected(folder))
    fresh = timm.create_model(NAMES[0], num_classes=3, **toy_model.model_dump())
    load_checkpoint(fresh, path)
    assert torch.equal(fresh.eval()(video()), expected(folder))


@pytest.mark.parametrize("name", NAMES)
def test_timm_saves_a_folder_that_timm_loads(name, tmp_path, toy_model):
    model = timm.create_model(name, **toy_model.model_dump()).eval()
    save_for_hf(model, tmp_path / "saved", safe_serialization=True)
    again = timm.create_model(f"local-dir:{tmp_path / 'saved'}", pretrained=True).eval()
    assert torch.equal(again.forward_features(video()), model.forward_features(video()))
    assert again.default_cfg["first_conv"] == "encoder.patch_embed"


def test_no_weights_and_unknown_tags():
    assert svfap.__version__
    assert timm.is_model(NAMES[0])
    assert not timm.list_models("*svfap*", pretrained=True)
    with pytest.raises(SvfapError, match="no weights are published"):
        timm.create_model(NAMES[0], pretrained=True)
    for name in (f"{NAMES[0]}.nonsense", f"{NAMES[1]}.in1k"):
        with pytest.raises(RuntimeError, match="Invalid pretrained tag"):
            timm.create_model(name)
    with pytest.raises(RuntimeError, match="Unknown model"):
        timm.create_model("svfap_base.nonsense")


def models(config):
    return VideoModel(config, 3, pool="attention"), Autoencoder(config)


def buffers(model):
    kept = model.state_dict()
    return {name: b for name, b in model.named_buffers() if name not in kept}


@pytest.mark.parametrize("kind", [0, 1])
def test_a_model_from_meta_has_all_that_no_state_dict_has(toy_model, kind):
    plain = models(toy_model)[kind]
    assert buffers(plain)
    with torch.device("meta"):
        empty, assigned = models(toy_model)[kind], models(toy_model)[kind]
    with torch.no_grad():
        empty.to_empty(device="cpu")
        for parameter in empty.parameters():
            parameter.fill_(torch.nan)
    empty.load_state_dict(plain.state_dict())
    assigned.load_state_dict(plain.state_dict(), assign=True)
    for model in (empty, assigned):
        for name, buffer in buffers(model).items():
            torch.testing.assert_close(buffer, plain.get_buffer(name), rtol=0, atol=0)
        assert torch.equal(model.forward_features(video()), plain.forward_features(video()))
    # Types, too, follow the parameters.
    assert {b.dtype for b in plain.bfloat16().buffers()} == {torch.bfloat16}


@pytest.mark.parametrize("kind", [0, 1])
def test_random_weights_after_meta(toy_model, kind):
    plain = models(toy_model)[kind]
    with torch.device("meta"):
        model = models(toy_model)[kind]
    model.to_empty(device="cpu")
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.fill_(torch.nan)
    model.init_weights()
    for name, tensor in model.named_parameters():
        like = plain.get_parameter(name)
        # Equal where nothing is random, and of the same size elsewhere.
        if like.std() == 0 or like.numel() == 1:
            assert torch.equal(tensor, like), name
        else:
            assert 0.4 < tensor.std() / like.std() < 2.5, name
    for name, buffer in model.named_buffers():
        assert torch.equal(buffer, plain.get_buffer(name))


def test_timm_can_ask_for_the_positions_again(toy_model):
    ask = getattr(_manipulate, "reinit_non_persistent_buffers", None)
    if ask is None:
        pytest.skip("this version of timm does not ask for them")
    model = VideoModel(toy_model, 3)
    model.encoder.positions.table.zero_()
    assert ask(model) == ["encoder.positions"]
    assert torch.equal(model.encoder.positions.table, sinusoid_positions(64, toy_model.dim))
