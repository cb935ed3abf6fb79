"""Tokens made of oriented gradients: what they tell, and what they forget."""

import pytest
import torch

from svfap.config import ModelConfig
from svfap.models import Autoencoder, VideoModel
from svfap.models.cost import finetune_cost
from svfap.models.gradients import oriented_gradients
from svfap.models.masking import tube_sites
from svfap.models.token_counts import ORIENTATIONS
from svfap.models.tokens import patchify


@pytest.fixture
def config(toy_model: ModelConfig) -> ModelConfig:
    return toy_model.model_copy(update={"patch_features": "gradients"})


def features(video, config):
    return oriented_gradients(patchify(video, config.tubelet, config.patch_size), config)


def test_stripes_point_in_one_direction(config):
    """Stripes along y have gradients along x alone, those of the first histogram bin."""
    size, frames = config.image_size, config.num_frames
    stripes = torch.sin(torch.arange(size) * 0.8).expand(1, 3, frames, size, size)
    bins = features(stripes, config).unflatten(-1, (-1, ORIENTATIONS, 4)).mean((0, 1, 2, 3, 5))
    assert bins.argmax() == 0
    torch.testing.assert_close(bins[1:], torch.full((ORIENTATIONS - 1,), -0.5))
    turned = features(stripes.transpose(-1, -2), config)
    bins = turned.unflatten(-1, (-1, ORIENTATIONS, 4)).mean((0, 1, 2, 3, 5))
    assert bins.argmax() == ORIENTATIONS // 2


def test_brightness_and_contrast_hardly_matter(config):
    video = torch.randn(2, 3, config.num_frames, config.image_size, config.image_size)
    changed = features(3 * video + 1, config)
    torch.testing.assert_close(changed, features(video, config), atol=0.03, rtol=0)


def test_an_empty_patch_has_no_gradients(config):
    video = torch.ones(1, 3, config.num_frames, config.image_size, config.image_size)
    assert (features(video, config) == -0.5).all()


def test_models_learn_from_them(config):
    video = torch.randn(2, 3, config.num_frames, config.image_size, config.image_size)
    model = VideoModel(config, 7)
    model(video).square().mean().backward()
    assert model.encoder.patch_embed.weight.grad is not None
    cost = finetune_cost(config, 7)
    assert cost.parameters == sum(parameter.numel() for parameter in model.parameters())


def test_hidden_pixels_stay_hidden(config):
    model = Autoencoder(config).eval()
    video = torch.randn(1, 3, config.num_frames, config.image_size, config.image_size)
    visible, masked = tube_sites(torch.rand(1, model.encoder.sites), model.encoder.slices, 0.5)
    patches = patchify(video, config.tubelet, config.patch_size)
    hidden = masked[..., None].expand(-1, -1, -1, patches.shape[-1])
    side, patch = config.image_size // config.patch_size, config.patch_size
    other = patches.scatter(2, hidden, torch.randn_like(patches))
    other = other.unflatten(2, (side, side)).unflatten(-1, (3, config.tubelet, patch, patch))
    other = other.permute(0, 4, 1, 5, 2, 6, 3, 7).reshape(video.shape)
    assert not torch.equal(video, other)
    torch.testing.assert_close(model(video, visible, masked), model(other, visible, masked))


def test_odd_patches_are_refused():
    with pytest.raises(ValueError, match="patch_size must be even"):
        ModelConfig(image_size=45, patch_size=5, patch_features="gradients")
