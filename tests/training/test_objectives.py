"""Losses against their definitions: cross-entropy, smoothing, mixup, cutmix, erasing, MSE."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.tiny_trainer import PLAIN, random_batch

from svfap.config import FinetuneConfig
from svfap.models import Autoencoder, VideoModel, reconstruction_target
from svfap.training.batch import Batch
from svfap.training.objectives import (
    Classification,
    Reconstruction,
    Regression,
    normalise,
    unit_range,
)
from svfap.training.step import seed_everything

LOGITS = torch.tensor([[2.0, -1.0], [0.5, 0.3], [-1.0, 1.5], [0.0, 0.0]])

PARTNERS = [1, 0, 3, 2]  # pairs of neighbours


class Probe:
    """A fake model that keeps its input and returns fixed logits."""

    def __init__(self, answer=LOGITS):
        self.answer, self.seen = answer, torch.empty(0)

    def __call__(self, video, *_):
        self.seen = video
        return self.answer[: len(video)]


def classification(toy_model, **settings):
    return Classification(VideoModel(toy_model, 2), FinetuneConfig(**PLAIN | settings))


def plain(batch):
    return normalise(unit_range(batch.video))


def test_images_are_normalised_as_imagenet():
    video = torch.full((1, 2, 4, 4, 3), 255, dtype=torch.uint8)
    out = normalise(unit_range(video))
    assert out.shape == (1, 3, 2, 4, 4)
    assert out[0, :, 0, 0, 0] == pytest.approx(
        (1 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy(toy_model, smoothing):
    """Equation 12; with smoothing, 0.1 of the weight is spread over all classes."""
    batch, probe = random_batch(), Probe()
    loss = classification(toy_model, label_smoothing=smoothing).loss(probe, batch)
    labels = batch.target[:, 0].long()
    expected = F.cross_entropy(LOGITS, labels, label_smoothing=smoothing)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert torch.equal(probe.seen, plain(batch))


@pytest.mark.parametrize("seed", range(3))
def test_mixup_blends_clips_and_labels_alike(toy_model, seed):
    batch, probe = random_batch(), Probe()
    seed_everything(seed)
    loss = classification(toy_model, mixup=0.8).loss(probe, batch)
    video = plain(batch)
    other = video[PARTNERS]
    share = ((probe.seen - other) * (video - other)).sum() / (video - other).square().sum()
    assert 0 <= share <= 1
    torch.testing.assert_close(probe.seen, share * video + (1 - share) * other)
    labels = batch.target[:, 0].long()
    expected = share * F.cross_entropy(LOGITS, labels)
    expected += (1 - share) * F.cross_entropy(LOGITS, labels[PARTNERS])
    assert loss.item() == pytest.approx(expected.item(), rel=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_cutmix_pastes_one_box_into_every_frame(toy_model, seed):
    batch, probe = random_batch(), Probe()
    seed_everything(seed)
    loss = classification(toy_model, cutmix=1.0).loss(probe, batch)
    video = plain(batch)
    changed = (probe.seen != video).any(dim=1)  # (B, T, H, W)
    box = changed.flatten(0, 1).any(dim=0)
    rows, columns = box.any(dim=1).nonzero(), box.any(dim=0).nonzero()
    filled = torch.zeros_like(box)
    if len(rows):
        filled[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] = True
    torch.testing.assert_close(probe.seen, torch.where(filled, video[PARTNERS], video))
    share = 1 - filled.float().mean()
    labels = batch.target[:, 0].long()
    expected = share * F.cross_entropy(LOGITS, labels)
    expected += (1 - share) * F.cross_entropy(LOGITS, labels[PARTNERS])
    assert loss.item() == pytest.approx(expected.item(), rel=1e-4)


def test_mixup_and_cutmix_take_turns(toy_model):
    objective, blended = classification(toy_model, mixup=0.8, cutmix=1.0), []
    for seed in range(40):
        seed_everything(seed)
        batch, probe = random_batch(), Probe()
        objective.loss(probe, batch)
        blended.append(((probe.seen != plain(batch)).float().mean() > 0.99).item())
    assert 8 < sum(blended) < 32


def test_an_odd_number_of_clips_is_mixed_too(toy_model):
    loss = classification(toy_model, mixup=0.8).loss(Probe(), random_batch(3))
    assert torch.isfinite(loss)


def test_erasing_fills_one_box_of_every_frame_with_noise(toy_model):
    batch, probe = random_batch(), Probe()
    seed_everything(0)
    classification(toy_model, erasing=1.0).loss(probe, batch)
    changed = (probe.seen != plain(batch)).all(dim=(1, 2))  # (B, H, W)
    shares = changed.float().mean(dim=(1, 2))
    assert ((shares > 0.01) & (shares < 0.4)).all()
    assert not torch.equal(changed[0], changed[1])
    noise = probe.seen[0].permute(2, 3, 0, 1)[changed[0]]
    assert noise.mean().abs() < 0.1
    assert noise.std() == pytest.approx(1, abs=0.1)
    kept, probability = Probe(), 0.25
    seed_everything(0)
    objective = classification(toy_model, erasing=probability)
    erased = 0
    for first in range(50):
        batch = random_batch(first=first)
        objective.loss(kept, batch)
        erased += (kept.seen != plain(batch)).flatten(1).any(dim=1).sum().item()
    assert erased / 200 == pytest.approx(probability, abs=0.1)


def test_regression_is_the_mean_squared_error(toy_model):
    """Equation 13."""
    answer = torch.tensor([[0.1, 0.2], [0.4, -0.3]])
    batch = Batch(random_batch(2).video, torch.tensor([[0.0, 0.5], [1.0, -1.0]]))
    loss = Regression(VideoModel(toy_model, 2)).loss(Probe(answer), batch)
    assert loss.item() == pytest.approx(np.mean([0.01, 0.09, 0.36, 0.49]))


class OffBy(Autoencoder):
    """A masked autoencoder whose predictions of known clips are all wrong by the same amount."""

    def __init__(self, config, batch, error):
        super().__init__(config)
        self.batch, self.error, self.shapes = batch, error, None

    def forward(self, video, visible, targets):
        torch.testing.assert_close(video, plain(self.batch))
        self.shapes = visible.shape[1:], targets.shape[1:]
        return reconstruction_target(unit_range(self.batch.video), targets, 2, 8) + self.error


def test_reconstruction_scores_the_masked_patches(toy_model):
    """Equations 10 and 11, with an answer that is off by two everywhere."""
    batch = random_batch()
    objective = Reconstruction(model := OffBy(toy_model, batch, 2), 0.75)
    assert objective.loss(objective.network, batch).item() == pytest.approx(4)
    assert model.shapes == ((4, 4), (4, 12))


def test_half_of_the_masked_patches_are_scored(toy_model):
    batch = random_batch()
    objective = Reconstruction(model := OffBy(toy_model, batch, 3), 0.75, 0.5)
    assert objective.loss(objective.network, batch).item() == pytest.approx(9)
    assert model.shapes == ((4, 4), (4, 6))
