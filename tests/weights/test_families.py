"""Public models: with the same weights, their own classes and ours give the same numbers.

`references.npz` was made by `make_references.py`, which says how.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from weights.make_references import SMALL, imagenet, made_up, video

from svfap.config import ModelConfig
from svfap.errors import SvfapError
from svfap.models import VideoModel
from svfap.models.convert_vit import from_public, sizes_of
from svfap.weights import converted

FAMILIES = ("videomae", "marlin", "videomaev2", "s4d")
OF_WEIGHTS = {"image_size": SMALL["size"], "num_frames": SMALL["frames"]}


@pytest.fixture(scope="module")
def references():
    with np.load(Path(__file__).with_name("references.npz")) as arrays:
        return {name: arrays[name] for name in arrays.files}


def state_of(references, family):
    shapes = json.loads(str(references[f"{family}/shapes"]))
    own = {name: name.removeprefix("backbone.") for name in shapes}  # the prefix of S4D's file
    return {name: made_up(own[name], tuple(shape)) for name, shape in shapes.items()}


@torch.no_grad()
@pytest.mark.parametrize("family", FAMILIES)
def test_features_and_logits_are_those_of_the_familys_own_class(references, family):
    state = state_of(references, family)
    weights = from_public(state, where=family)
    outputs = len(weights.get("head.weight", ()))
    config = ModelConfig(**OF_WEIGHTS, **sizes_of(state, where=family))
    model = VideoModel(config, outputs).eval()
    model.load_state_dict(weights)  # strict: every name is used, and none is missing
    features = model.embed(imagenet(video(SMALL["size"], SMALL["frames"])))
    expected = torch.from_numpy(references[f"{family}/features"])
    torch.testing.assert_close(features, expected, rtol=1e-5, atol=1e-5)
    if outputs:
        logits = torch.from_numpy(references[f"{family}/logits"])
        torch.testing.assert_close(model.outputs(features), logits, rtol=1e-5, atol=1e-5)


def test_the_released_names_of_the_biases_of_transformers_fit_too(references):
    """Files of 2022 have `q_bias` and `v_bias` where newer ones have a bias of each layer."""
    state = state_of(references, "videomae")
    old = {
        k.replace("query.bias", "q_bias").replace("value.bias", "v_bias"): v
        for k, v in state.items()
    }
    assert old.keys() != state.keys()
    new, ours = (from_public(each, where="") for each in (state, old))
    assert new.keys() == ours.keys()


def test_a_pretrained_file_is_read_without_its_decoder(references):
    state = {
        f"encoder.{name}": value
        for name, value in state_of(references, "videomaev2").items()
        if not name.startswith(("head", "fc_norm"))
    }
    decoder = {"decoder.blocks.0.norm1.weight": torch.ones(4), "mask_token": torch.zeros(1, 1, 4)}
    norm = {"encoder.norm.weight": torch.ones(SMALL["dim"])}
    weights = from_public(state | decoder | norm, where="")
    assert {name.split(".")[0] for name in weights} == {"encoder"}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("lg_region_tokens", "attention over regions"),
        ("blocks.0.first_attn.q.weight", "attention over regions"),
        ("blocks.11.moe_layer.router.topkroute_linear.weight", "mixture of experts"),
        ("blocks.0.gamma_1", "layer scale"),
        ("blocks.0.attn.scale", "cosine attention"),
        ("cls_token", "class token"),
        ("temporal_downsamples.0.weight", "svfap convert"),
    ],
)
def test_a_model_that_our_classes_cannot_hold_is_refused_by_name(references, name, said):
    state = state_of(references, "videomaev2") | {name: torch.zeros(2)}
    with pytest.raises(SvfapError, match=said):
        from_public(state, where="model.pth")


def test_another_network_is_refused():
    with pytest.raises(SvfapError, match="no video transformer of a known family"):
        from_public({"conv1.weight": torch.zeros(1)}, where="resnet.pth")


def test_wrong_sizes_are_named_with_what_to_write(references, tmp_path):
    path = tmp_path / "model.safetensors"
    save_file(state_of(references, "s4d"), path)
    found = converted.read(path)
    with pytest.raises(SvfapError, match=r"dim 512.*write model: .*\"dim\": 128") as error:
        found.check_sizes(ModelConfig())
    assert len(str(error.value).splitlines()) == 1
    found.check_sizes(ModelConfig(**OF_WEIGHTS, **found.sizes))


def test_converted_weights_keep_their_facts(references, tmp_path):
    torch.save({"model": state_of(references, "marlin")}, tmp_path / "marlin.pt")
    found = converted.read(tmp_path / "marlin.pt", notice="Made up.")
    found.write(tmp_path / "new" / "marlin.safetensors")
    again = converted.read(tmp_path / "new" / "marlin.safetensors")
    assert (again.sizes, again.notice) == (found.sizes, "Made up.")
    assert all(torch.equal(again.encoder[name], value) for name, value in found.encoder.items())


@pytest.mark.parametrize("name", ["model.safetensors", "model.pt"])
def test_a_cut_file_is_one_clear_line(references, tmp_path, name):
    path = tmp_path / name
    state = state_of(references, "s4d")
    (save_file if name.endswith("safetensors") else torch.save)(state, path)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(SvfapError, match="no whole file of weights"):
        converted.read(path)


def test_a_file_with_code_is_not_run(tmp_path):
    torch.save({"model": print}, tmp_path / "evil.pt")
    with pytest.raises(SvfapError, match="no whole file of weights"):
        converted.read(tmp_path / "evil.pt")
