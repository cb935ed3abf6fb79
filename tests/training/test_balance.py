"""Rare classes: as many clips per epoch as the others, or as much weight in the loss."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.tiny_trainer import PLAIN, random_batch
from helpers.toy_shards import make_shards

from svfap.config import FinetuneConfig, OptimConfig
from svfap.config.stage_sections import FinetuneJob
from svfap.errors import SvfapError
from svfap.experiment import resolve
from svfap.models import VideoModel
from svfap.shards.store import ClipStore
from svfap.stages.finetune import _draws, _objective
from svfap.training.balance import balanced_order, class_weights

CLASSES = np.array([0] * 15 + [1] * 3 + [2] * 2)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return ClipStore([make_shards(tmp_path_factory.mktemp("shards"), [0] * 7 + [1] * 2, frames=4)])


def job(toy_model, balance):
    settings = FinetuneConfig(balance=balance, optim=OptimConfig(), **PLAIN)
    return FinetuneJob(
        seed=5,
        task="classification",
        targets=("no", "yes"),
        stride=1,
        model=toy_model,
        finetune=settings,
    )


def test_every_class_is_as_frequent_in_every_epoch():
    for epoch in range(5):
        drawn = balanced_order(CLASSES, np.random.default_rng(epoch))
        assert len(drawn) == 20
        assert sorted(np.bincount(CLASSES[drawn])) == [6, 7, 7]
        for label in (0, 1, 2):
            counts = np.bincount(drawn, minlength=20)[np.equal(CLASSES, label)]
            assert np.ptp(counts) <= 1  # each clip of a class equally often


def test_every_clip_of_a_frequent_class_occurs_in_some_epoch():
    epochs = [balanced_order(CLASSES, np.random.default_rng(epoch)) for epoch in range(20)]
    assert {*np.concatenate(epochs)} == {*range(20)}


def test_balanced_epochs_are_a_function_of_seed_and_epoch(store, toy_model):
    """Independent of earlier draws, as resuming requires."""
    forward, backward = (_draws(store, job(toy_model, "sampler")) for _ in range(2))
    positions = range(4 * len(store))
    clips = [forward.clip(position) for position in positions]
    assert [backward.clip(position) for position in reversed(positions)] == clips[::-1]
    for epoch in np.split(store.targets[clips, 0], 4):
        assert sorted(np.bincount(epoch.astype(int))) == [4, 5]
    assert clips[:9] != clips[9:18]


@pytest.mark.parametrize("balance", ["none", "loss"])
def test_otherwise_every_clip_occurs_once_per_epoch(store, toy_model, balance):
    draws = _draws(store, job(toy_model, balance))
    assert sorted(draws.clip(position) for position in range(len(store))) == [*range(len(store))]


def test_class_weights_are_inverse_to_class_sizes():
    weights = class_weights(CLASSES, 4)
    counts = np.array([15, 3, 2, 0])
    assert weights[3] == 0
    assert weights[:3] * counts[:3] == pytest.approx(20 / 3)
    assert weights[CLASSES].mean() == pytest.approx(1)


def test_the_loss_is_weighted(store, toy_model):
    weighted = _objective(VideoModel(toy_model, 2), job(toy_model, "loss"), store)
    logits = torch.tensor([[2.0, -1.0], [0.5, 0.3], [-1.0, 1.5], [0.0, 0.0]])
    batch = random_batch()
    labels = batch.target[:, 0].long()
    loss = weighted.loss(lambda video, *_: logits[: len(video)], batch)
    each = F.cross_entropy(logits, labels, reduction="none")
    expected = each * torch.tensor([9 / 14, 9 / 4])[labels]
    assert loss.item() == pytest.approx(expected.mean().item(), rel=1e-5)


def test_regression_cannot_be_balanced():
    settings = {"datasets": {"ChaLearn": {}}, "finetune": {"init": "scratch", "balance": "loss"}}
    with pytest.raises(SvfapError, match=r"datasets\.ChaLearn: finetune\.balance needs classes"):
        resolve.resolve(settings, where="config").finetune_section("ChaLearn")
