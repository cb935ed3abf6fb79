"""The stream of crops: exact epochs for any number of processes, batches and loader processes."""

import numpy as np
import pytest
import torch
from helpers.toy_shards import make_shards

from svfap.augment.crop_box import CropBox
from svfap.config import OptimConfig, TrainingMachine
from svfap.errors import SvfapError
from svfap.shards.store import ClipStore
from svfap.training.distributed import Ranks
from svfap.training.draws import Draws
from svfap.training.loader import Loader
from svfap.video.sampling import finetune_indices

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return ClipStore([make_shards(tmp_path_factory.mktemp("shards"), np.linspace(0, 1, 10))])


MACHINE = {*TrainingMachine.model_fields}


def draws(store, repeats=1):
    def draw_box(height, width, rng):
        return CropBox(int(rng.integers(0, 8)), 0, 32, width)

    def draw_frames(length, rng):
        return finetune_indices(length, 8, 1, rng)

    return Draws(store, draw_frames, draw_box, size=32, seed=0, repeats=repeats)


def loader(store, *, rank=0, size=1, repeats=1, **optim):
    ranks = Ranks(rank, size, CPU)
    machine = {key: optim.pop(key) for key in MACHINE & {*optim}}
    config = OptimConfig(repeats=repeats, **optim)
    return Loader(draws(store, repeats), config, ranks, TrainingMachine(**machine))


def targets(steps):
    return torch.cat([batch.target[:, 0] for batches in steps for batch in batches])


def crops(batches):
    return torch.cat([batch.prepared(CPU).video for batch in batches])


def test_every_clip_occurs_once_per_epoch(store):
    loading = loader(store, batch_size=4, epochs=4)
    assert loading.steps == 10
    epochs = targets(loading.load(0)).unflatten(0, (4, 10))
    assert (epochs.sort(dim=1).values == torch.from_numpy(store.targets[:, 0]).sort().values).all()
    assert not torch.equal(epochs[0], epochs[1])


def test_the_last_step_takes_the_remainder(store):
    loading = loader(store, batch_size=4, epochs=3, device_batch=3)
    assert [len(loading.positions(step)) for step in range(loading.steps)] == [4] * 6 + [6]
    assert targets(loading.load(0)).unique(return_counts=True)[1].tolist() == [3] * 10
    last = next(iter(loading.load(loading.steps - 1)))
    assert [len(batch.target) for batch in last] == [3, 3]
    assert sum(batch.share for batch in last) == 1


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("device_batch", [None, 2])
def test_processes_share_a_step(store, size, device_batch):
    """Together they compute the same crops as one process, in the same order."""
    settings = {"batch_size": 7, "epochs": 2, "device_batch": device_batch}
    whole = list(loader(store, **settings).load(0))
    split = [list(loader(store, rank=r, size=size, **settings).load(0)) for r in range(size)]
    for step, batches in enumerate(whole):
        together = [batch for rank in split for batch in rank[step]]
        assert torch.equal(targets([batches]), targets([together]))
        assert sum(batch.share for batch in together) == pytest.approx(1)
        assert torch.equal(crops(batches), crops(together))
        assert all(len(batch.target) <= (device_batch or 7) for batch in together)


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_do_not_depend_on_the_step_to_start_at(store, workers):
    whole = list(loader(store, batch_size=3, epochs=3).load(0))
    resumed = loader(store, batch_size=3, epochs=3, workers=workers).load(6)
    for (one,), (other,) in zip(whole[6:], resumed, strict=True):
        assert torch.equal(crops([one]), crops([other]))
        assert torch.equal(one.target, other.target)
        assert one.first == other.first


@pytest.mark.parametrize("optim", [{}, {"device_batch": 2}, {"repeats": 3, "device_batch": 2}])
def test_batches_of_loader_processes_stay_valid_until_two_more_steps(store, optim):
    """Their memory is overwritten, but not before."""
    settings = {"batch_size": 5, "epochs": 8, **optim}
    alone = loader(store, **settings).load(0)
    before = (None, None)
    for made, expected in zip(loader(store, workers=2, **settings).load(0), alone, strict=True):
        for ours, theirs in (before, (made, expected)):
            for one, other in zip(ours or (), theirs or (), strict=True):
                assert torch.equal(one.video, other.video)
                assert torch.equal(one.boxes.rows, other.boxes.rows)
                assert (one.first, one.share) == (other.first, other.share)
        before = made, expected


def test_several_crops_of_each_decoded_clip(store, monkeypatch):
    decoded = []
    frames = ClipStore.frames

    def counting(self, clip, indices, out):
        decoded.append(clip)
        return frames(self, clip, indices, out)

    monkeypatch.setattr(ClipStore, "frames", counting)
    loading = loader(store, batch_size=8, epochs=2, repeats=4)
    assert loading.steps == 10
    assert loading.steps_per_epoch == 5
    (first,) = next(loading.load(0))
    assert first.target[:4].unique().numel() == first.target[4:].unique().numel() == 1
    assert len(first.video) == 2
    assert len({crop.numpy().tobytes() for crop in crops([first])[:4]}) > 1
    decoded.clear()
    assert targets(loading.load(0)).unique(return_counts=True)[1].tolist() == [8] * 10
    assert sorted(decoded) == sorted([*range(10)] * 2)


def test_a_batch_larger_than_the_data(store):
    loading = loader(store, batch_size=256, epochs=3)
    assert (loading.batch_size, loading.steps) == (10, 3)


def test_more_processes_than_clips_in_a_step(store):
    message = r"2 clips, too few for 4 processes with at least 1 each; raise optim\.batch_size"
    with pytest.raises(SvfapError, match=message):
        loader(store, size=4, batch_size=2)


def test_clips_of_two_sizes_share_a_batch(tmp_path):
    """The smaller clip is padded, and no crop shows the padding."""
    stores = ClipStore(
        [make_shards(tmp_path / f"{side}", [1, 1], side=side, seed=side) for side in (40, 48)]
    )
    (batch,) = next(loader(stores, batch_size=4, epochs=1).load(0))
    assert batch.video.shape[2:] == (48, 48, 3)
    assert (batch.video == 0).any()
    assert crops([batch]).min() > 0
