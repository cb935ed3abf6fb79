"""Pictures and figures of a masked autoencoder's reconstructions."""

import numpy as np
import pytest
import torch

from svfap.models import Autoencoder, reconstruction_target
from svfap.models.autoencoder import patch_pixels
from svfap.training.reconstruction import GREY, completed, mean_face, reconstruct_clips, unpatch


def test_a_completed_clip_keeps_visible_patches_and_true_patches_complete_it(toy_model):
    video = torch.rand(2, 3, 8, 32, 32)
    hidden = torch.tensor([0, 5, 9]).expand(2, 4, 3)
    grey = completed(video, hidden, None, toy_model)
    assert torch.allclose(grey[:, :, :, :8, 8:], video[:, :, :, :8, 8:], atol=1e-6)
    assert (grey[:, :, :, :8, :8] == 0.5).all()
    true = reconstruction_target(video, hidden, 2, 8)
    assert torch.allclose(completed(video, hidden, true, toy_model), video, atol=1e-4)


def test_the_mean_face_explains_clips_that_are_all_alike(toy_model):
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (1, 8, 32, 32, 3), np.uint8).repeat(3, axis=0)
    mean = mean_face(toy_model, frames)
    model = Autoencoder(toy_model)
    found = reconstruct_clips(model, frames[:2], mean, mask_ratio=0.75)
    assert found.mean_face_r2 == pytest.approx(1, abs=1e-3)
    assert found.r2 < 0.1
    np.testing.assert_allclose(found.rows["mean face"], found.rows["input"], atol=1e-3)
    is_grey = (found.rows["masked"] == GREY).all(axis=-1)
    assert is_grey.mean() == 0.75
    np.testing.assert_allclose(
        found.rows["output"][~is_grey], found.rows["input"][~is_grey], atol=1e-6
    )


def test_unpatch_undoes_patching():
    video = torch.rand(2, 3, 8, 32, 32)
    assert torch.equal(unpatch(patch_pixels(video, 2, 8), slices=4, tubelet=2, patch=8), video)
