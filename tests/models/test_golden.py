"""Tensors of the authors' definitions: with the same weights, our models give the same numbers.

`golden.npz` was made with the authors' model files and random weights, float32, on a CPU. Two
faults of their pre-training encoder were corrected first, to match the paper: the last block of a
stage attends to the bottleneck tokens (eq. 8), and each slice of a slower stage is repeated over
the slices that it covers (eq. 9). Width 24, 3 heads, depths 1/3/2, 4 bottleneck tokens, 32 x 32
pixels, patch 8; decoder 16 wide, 2 heads, 2 blocks; 5 classes.
"""

from pathlib import Path

import numpy as np
import pytest
import torch

from svfap.config import ModelConfig
from svfap.models import Autoencoder, VideoModel, reconstruction_target
from svfap.models.convert import from_official
from svfap.models.masking import split_sites
from svfap.training.objectives import normalise

SIZES = ModelConfig(
    image_size=32,
    patch_size=8,
    dim=24,
    heads=3,
    depths=(1, 3, 2),
    bottleneck_tokens=4,
    decoder_dim=16,
    decoder_heads=2,
    decoder_depth=2,
)


@pytest.fixture(scope="module")
def golden():
    with np.load(Path(__file__).with_name("golden.npz")) as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


def official(golden, model):
    prefix = f"{model}/"
    return {k.removeprefix(prefix): v for k, v in golden.items() if k.startswith(prefix)}


def close(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_finetuning_model(golden):
    model = VideoModel(SIZES, 5).eval()
    model.load_state_dict(from_official(official(golden, "finetune")))
    video = normalise(golden["video"].float() / 255)
    close(model.embed(video), golden["features"])
    close(model(video), golden["logits"])


@torch.no_grad()
def test_pretraining_model(golden):
    model = Autoencoder(SIZES).eval()
    model.load_state_dict(from_official({"model": official(golden, "pretrain")}))
    video, mask = golden["video"].float() / 255, golden["mask"]
    visible, masked = split_sites(mask, 8)
    close(model.encode(normalise(video), visible).flatten(1, 2), golden["encoded"])
    predicted = model.predict(normalise(video), mask)
    target = reconstruction_target(video, masked, 2, 8)
    close(predicted[:1, :32], golden["predicted"])
    close(target[:1, :32], golden["target"])
    close(torch.nn.functional.mse_loss(predicted, target), golden["loss"])


def test_weights_of_another_width_do_not_load(golden):
    wider = VideoModel(SIZES.model_copy(update={"dim": 48}), 5)
    with pytest.raises(RuntimeError, match=r"size mismatch for encoder\.patch_embed\.weight"):
        wider.load_state_dict(from_official(official(golden, "finetune")))
