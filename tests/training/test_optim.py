"""Learning rates by step and by layer, weight decay by parameter."""

import pytest

from svfap.config import OptimConfig
from svfap.models import VideoModel
from svfap.training.optim import Schedule, layer_of, parameter_groups


def test_schedule():
    config = OptimConfig(lr=1e-3, min_lr=1e-6, warmup_epochs=5)
    schedule = Schedule(config, batch_size=128, steps=100, steps_per_epoch=2.0)
    rates = [schedule(step) for step in range(100)]
    assert rates[0] == 0
    assert rates[5] == pytest.approx(0.25e-3)  # half of the warm-up, half of the batch of 256
    assert max(rates) == rates[10] == pytest.approx(0.5e-3)
    assert rates[55] == pytest.approx((0.5e-3 + 0.5e-6) / 2)
    assert rates[-1] == pytest.approx(0.5e-6, rel=0.5)
    assert sorted(rates[10:], reverse=True) == rates[10:]


def test_the_papers_peak_rates():
    """Total batch 256 at 3e-4, and 96 at 1e-3 (sections 4.1)."""
    assert Schedule(OptimConfig(), 256, 1000, 10.0)(50) == pytest.approx(3e-4)
    assert Schedule(OptimConfig(lr=1e-3), 96, 1000, 10.0)(50) == pytest.approx(3.75e-4)


def test_layer_decay_and_weight_decay_of_every_parameter(toy_model):
    model = VideoModel(toy_model, 2)
    groups = parameter_groups(model, weight_decay=0.05, layer_decay=0.5)
    of = {id(p): group for group in groups for p in group["params"]}
    named = dict(model.named_parameters())
    assert len(of) == len(named) == sum(len(group["params"]) for group in groups)
    for name, parameter in named.items():
        parts = name.split(".")
        if parts[1] == "patch_embed":
            depth = 0
        elif parts[1] == "blocks":
            depth = int(parts[2]) + 1
        else:
            depth = 6  # five blocks
        assert of[id(parameter)]["lr_scale"] == 0.5 ** (6 - depth), name
        plain = name.endswith("bias") or "norm" in name
        assert of[id(parameter)]["weight_decay"] == (0 if plain else 0.05), name


def test_the_deepest_and_the_shallowest():
    assert layer_of("encoder.patch_embed.weight", 21) == 0
    assert layer_of("encoder.blocks.20.block.mlp.fc1.weight", 21) == 21
    assert layer_of("encoder.downsamples.0.proj.weight", 21) == 22
    assert layer_of("encoder.pools.1.mlp.fc1.weight", 21) == 22
    assert layer_of("mask_token", 21) == layer_of("head.weight", 21) == 22


def test_mask_token_is_not_decayed(toy_model):
    from svfap.models import Autoencoder

    model = Autoencoder(toy_model)
    groups = parameter_groups(model, weight_decay=0.05)
    plain = {id(p) for group in groups if not group["weight_decay"] for p in group["params"]}
    assert id(model.mask_token) in plain
