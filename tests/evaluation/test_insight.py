"""Pictures of a model at work: embeddings, their map, and where its stages attend."""

import numpy as np
import pytest
import torch
from helpers.toy_shards import make_shards

from svfap.config.stage_sections import FinetuneJob
from svfap.evaluation import insight
from svfap.models import VideoModel
from svfap.models.layers import Attention
from svfap.shards.store import ClipStore

PLAIN = {"bottleneck": False, "pyramid": "none"}


@pytest.fixture
def store(tmp_path):
    return ClipStore([make_shards(tmp_path / "shards", [0, 1] * 10)])


@pytest.fixture
def job(toy_model):
    return FinetuneJob(
        seed=0, task="classification", targets=("a", "b"), stride=1, model=toy_model, finetune={}
    )


def test_attention_shares_equal_the_weights_that_attention_uses():
    torch.manual_seed(0)
    attention = Attention(24, 3).eval()
    query, context = torch.randn(2, 5, 24), torch.randn(2, 7, 24)
    shares = attention.shares(query, context)
    values = attention.v(context).unflatten(-1, (3, -1)).transpose(1, 2)
    expected = attention.proj((shares @ values).transpose(1, 2).flatten(2))
    torch.testing.assert_close(attention(query, context), expected)


@pytest.mark.parametrize(
    ("sizes", "slices"),
    [
        ({}, {"stage 2": 2, "stage 3": 1}),
        (PLAIN, {"stage 2": 4, "stage 3": 4}),
        ({"depths": (3,)}, {"stage 1": 4}),
    ],
)
def test_attention_of_a_stage_sums_to_one_over_time_and_space(toy_model, sizes, slices):
    model = VideoModel(toy_model.model_copy(update=sizes), 2).eval()
    maps = insight.attention_maps(model, torch.randn(2, 3, 8, 32, 32))
    assert {name: tuple(m.shape) for name, m in maps.items()} == {
        name: (2, count, 4, 4) for name, count in slices.items()
    }
    for shares in maps.values():
        torch.testing.assert_close(shares.sum(dim=(1, 2, 3)), torch.ones(2))
    assert not model.encoder.blocks[1]._forward_hooks


def test_strips_show_frames_and_every_stage(toy_model, store, job):
    model = VideoModel(toy_model, 2).eval()
    strips, captions = insight.attention_strips(model, store, job, clips=2)
    assert [caption.partition(",")[0] for caption in captions] == ["true: a", "true: b"]
    assert [*strips] == ["frames", "attention,\nstage 2", "attention,\nstage 3"]
    for strip in strips.values():
        assert strip.shape == (2, 32, 4 * 32, 3)
        assert strip.min() >= 0
        assert strip.max() <= 1


def test_embeddings_of_clips_spread_over_the_store(toy_model, store, job, monkeypatch):
    model = VideoModel(toy_model, 2)
    features, targets = insight.embeddings(model, store, job)
    assert features.shape == (20, 24)
    np.testing.assert_array_equal(targets, store.targets)
    monkeypatch.setattr(insight, "MAP_CLIPS", 5)
    few, _ = insight.embeddings(model, store, job)
    np.testing.assert_allclose(few[[0, -1]], features[[0, -1]], atol=1e-5)
    assert len(few) == 5


def test_the_map_keeps_neighbours_together():
    rng = np.random.default_rng(0)
    groups = np.repeat([[0.0], [10.0]], 15, axis=0) * np.ones((1, 8))
    points = insight.tsne_map((groups + rng.normal(size=(30, 8))).astype(np.float32))
    left, right = points[:15], points[15:]
    within = max(np.ptp(left, axis=0).max(), np.ptp(right, axis=0).max())
    assert np.linalg.norm(left.mean(0) - right.mean(0)) > within / 2
    assert insight.tsne_map(np.zeros((29, 8), np.float32)) is None
