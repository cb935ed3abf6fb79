"""Non-finite losses: skip, roll back, save the batch, and in the end stop."""

import logging

import pytest
import torch
from helpers.tiny_trainer import PLAIN, make_stepper, no_log, same_weights, trainer
from helpers.toy_shards import make_shards

from svfap.config import FinetuneConfig
from svfap.errors import SvfapError
from svfap.models import VideoModel
from svfap.shards.store import ClipStore
from svfap.training import loop
from svfap.training.guard import replay
from svfap.training.objectives import Classification
from svfap.training.step import seed_everything


class Poisoned(Classification):
    """Classification whose loss is NaN for the batches that begin at given positions."""

    def __init__(self, model, positions):
        super().__init__(model, FinetuneConfig(**PLAIN))
        self.positions = positions

    def loss(self, forward, batch):
        loss = super().loss(forward, batch)
        return loss * float("nan") if batch.first in self.positions else loss


@pytest.fixture
def store(tmp_path):
    return ClipStore([make_shards(tmp_path / "shards", [0, 1] * 4)])


@pytest.fixture
def run(tmp_path, store, toy_model):
    def make(positions, **optim):
        seed_everything(0)
        objective = Poisoned(VideoModel(toy_model, 2), positions)
        return trainer(tmp_path, objective, store, epochs=6, lr=0.1, **optim)

    return make


def test_a_bad_step_changes_nothing_and_the_run_goes_on(run, tmp_path, caplog):
    one = run({20})
    curve = one.fit(no_log)
    assert len(curve) == 12
    assert "skipped step 5 (loss nan" in caplog.text
    assert all(torch.isfinite(p).all() for p in one.stepper.objective.model.parameters())
    saved = torch.load(tmp_path / "state" / "nonfinite-0.pt", weights_only=True)
    assert saved["step"] == 5
    assert saved["version"]


@pytest.mark.parametrize(
    ("points", "expected", "rolled_back_after"),
    [
        pytest.param(500, [*range(0, 48, 4)], 8, id="completed at once"),
        pytest.param(2, [*range(0, 36, 4), *range(32, 48, 4)], 9, id="completed a gradient later"),
    ],
)
def test_the_third_in_a_row_rolls_back_to_the_last_save(
    run, tmp_path, caplog, monkeypatch, points, expected, rolled_back_after
):
    """Data continues; a gradient of the dropped weights is accumulated again."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(loop, "CURVE_POINTS", points)
    one = run({20, 24, 28}, save_minutes=1e-9)
    seen, rolled_back = [], []
    accumulate, load = one.stepper.accumulate, one.stepper.load_state_dict

    def accumulating(batches):
        seen.append(batches[0].first)
        accumulate(batches)

    def loading(state):
        rolled_back.append(len(seen))
        load(state)

    one.stepper.accumulate, one.stepper.load_state_dict = accumulating, loading
    one.fit(no_log)
    assert "rolled back to the weights of step 5" in caplog.text
    assert rolled_back == [rolled_back_after]
    assert seen == expected


def test_steps_completed_late_lead_to_the_same_weights(run, tmp_path, monkeypatch):
    ends, kept = [], []
    for points in (500, 2):
        monkeypatch.setattr(loop, "CURVE_POINTS", points)
        one = run({12, 28, 32, 36}, save_minutes=1e-9, ema=0.5)
        one.fit(no_log)
        ends.append((one.stepper.objective.model.state_dict(), one.stepper.result_weights))
        path = tmp_path / "state" / "nonfinite-0.pt"
        kept.append(torch.load(path, weights_only=True))
        one.state.remove()
    assert all(map(same_weights, *ends))
    assert kept[0]["step"] == kept[1]["step"] == 7
    assert same_weights(*(save["learner"]["model"] for save in kept))


def test_too_many_in_a_row_stop_with_advice(run):
    with pytest.raises(
        SvfapError, match=r"^4 steps in a row up to step 6 .*nonfinite-0\.pt; lower optim\.lr"
    ):
        run(range(12, 48), max_skips=4).fit(no_log)


def test_the_count_survives_a_restart(run):
    """Otherwise a run that is restarted often could skip for ever."""
    one = run({8, 12})
    one.guard.skipped = 2
    one._save(2)
    again = run({8, 12}, max_skips=3)
    with pytest.raises(SvfapError, match="3 steps in a row up to step 2"):
        again.fit(no_log)


def test_a_saved_batch_can_be_replayed(run, tmp_path, toy_model):
    one = run({20})
    one.fit(no_log)
    fresh = make_stepper(Poisoned(VideoModel(toy_model, 2), {20}))
    kept = tmp_path / "state" / "nonfinite-0.pt"
    with pytest.raises(RuntimeError, match="returned nan values"):
        replay(kept, fresh)
    healthy = make_stepper(Poisoned(VideoModel(toy_model, 2), set()))
    (loss,) = replay(kept, healthy)
    assert 0 < loss < 2
    saved = torch.load(kept, weights_only=True)
    assert same_weights(saved["learner"]["model"], healthy.objective.model.state_dict())
