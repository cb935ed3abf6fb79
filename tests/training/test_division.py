"""A step gives the same gradient however it is divided into batches and processes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.tiny_trainer import ALONE, draws, make_stepper, random_batch
from helpers.toy_shards import make_shards

from svfap.augment.mix import draw_blend, partners
from svfap.config import FinetuneConfig, OptimConfig
from svfap.config.machine import TrainingMachine
from svfap.errors import SvfapError
from svfap.models import Autoencoder, VideoModel
from svfap.shards.store import ClipStore
from svfap.training.distributed import Ranks
from svfap.training.loader import Loader
from svfap.training.objectives import Classification, Reconstruction, Regression
from svfap.training.step import seed_everything

COUNT, FIRST, REPEATS = 11, 40, 2  # the step's last block is shorter than the others


def objective_of(name, toy_model):
    """Make an objective with every kind of random numbers."""
    seed_everything(0)
    recipe = FinetuneConfig(erasing=0.5, optim=OptimConfig(repeats=REPEATS))
    if name == "reconstruction":
        return Reconstruction(Autoencoder(toy_model), 0.75, 0.5)
    outputs = 1 if name == "regression" else 2
    model = VideoModel(toy_model, outputs, drop_path=0.4)
    if name == "regression":
        return Regression(model)
    model.head.weight.data.normal_()  # the small first weights would hide differences
    weights = torch.tensor([0.7, 1.6]) if name == "weighted" else None
    chosen = {"mixup": {"cutmix": 0.0}, "cutmix": {"mixup": 0.0}}.get(name, {})
    return Classification(model, recipe.model_copy(update=chosen), weights)


def part(whole, positions):
    """Cut a batch out of a step."""
    rows = slice(positions.start - FIRST, positions.stop - FIRST)
    return replace(
        whole,
        video=whole.video[rows],
        target=whole.target[rows],
        first=positions.start,
        share=len(positions) / COUNT,
        step=(FIRST, COUNT),
    )


def gradient(objective, parts):
    """Sum the gradients of a step's batches; return them with the loss."""
    stepper = make_stepper(objective)
    stepper.optimizer.zero_grad()
    stepper.accumulate(parts)
    grads = {k: p.grad.clone() for k, p in objective.model.named_parameters() if p.grad is not None}
    return grads, stepper.total.item()


@pytest.mark.parametrize(
    "name", ["reconstruction", "regression", "classification", "mixup", "cutmix", "weighted"]
)
def test_a_steps_gradient_does_not_depend_on_its_division(toy_model, name):
    objective = objective_of(name, toy_model)
    whole = replace(random_batch(COUNT), first=FIRST)
    expected, loss = gradient(objective, [whole])
    assert any(value.abs().max() > 1e-4 for value in expected.values())
    for block, batches in ((objective.block, 99), (2 * REPEATS, 2)):
        size = block * -(-COUNT // (block * batches))
        step = range(FIRST, FIRST + COUNT)
        parts = [part(whole, step[i : i + size]) for i in range(0, COUNT, size)]
        assert len(parts) > 1
        found, again = gradient(objective, parts)
        assert again == pytest.approx(loss, rel=1e-5)
        for key, value in expected.items():
            torch.testing.assert_close(found[key], value, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("device_batch", [1, 3, 4, 6, None])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_batches_and_processes_have_whole_blocks(tmp_path, device_batch, size):
    """The batches of all processes are the step, in order, and only its last block is shorter."""
    store, block = ClipStore([make_shards(tmp_path, [0, 1] * 5 + [0])]), 2
    config = OptimConfig(batch_size=len(store), epochs=2)
    machine = TrainingMachine(device_batch=device_batch)
    found = []
    for rank in range(size):
        loader = Loader(draws(store), config, Ranks(rank, size, ALONE.device), machine, block=block)
        batches = loader.batch_positions(0)
        assert batches
        assert all(len(batch) <= max(device_batch or len(store), block) for batch in batches)
        found += batches
    assert [p for batch in found for p in batch] == [*loader.positions(0)]
    assert all(len(batch) % block == 0 for batch in found[:-1])


def test_more_processes_than_blocks_are_refused(tmp_path):
    store = ClipStore([make_shards(tmp_path, [0, 1] * 5 + [0])])
    ranks = Ranks(0, 4, ALONE.device)
    with pytest.raises(SvfapError, match=r"too few for 4 processes with at least 4 each"):
        Loader(draws(store), OptimConfig(batch_size=5), ranks, block=4)


@pytest.mark.parametrize("repeats", [1, 2, 3])
def test_a_clip_is_never_mixed_with_itself(repeats):
    count, block = 7 * repeats, 2 * repeats
    partner = partners(count, block, ALONE.device)
    whole = count // block * block
    clips = torch.arange(count) // repeats
    assert (clips[:whole] != clips[partner[:whole]]).all()
    assert torch.equal(partner[partner[:whole]], torch.arange(whole))
    assert torch.equal(partner.sort().values, torch.arange(count))


def test_boxes_are_drawn_as_by_timm(monkeypatch):
    """The same share and the same centre give timm's box and timm's corrected share."""
    from timm.data import mixup

    class Fixed(np.random.RandomState):
        def __init__(self, share, centre):
            self.share, self.centre = share, iter(centre)

        def beta(self, *_):
            return self.share

        def integers(self, *_):
            return next(self.centre)

    for share, centre in ((0.3, (5, 29)), (0.9, (0, 17)), (0.62, (16, 16))):
        numbers = iter(centre)
        monkeypatch.setattr(np.random, "randint", lambda *_, it=numbers, **__: next(it))
        box, corrected = mixup.cutmix_bbox_and_lam((2, 3, 32, 30), share)
        ours = draw_blend(0.0, 1.0, (32, 30), Fixed(share, centre))
        assert ours.box == tuple(int(edge) for edge in box)
        assert ours.share == pytest.approx(float(corrected))
