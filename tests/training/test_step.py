"""One optimiser step: accumulation, precision, clipping, averaged weights, compilation."""

import shutil

import pytest
import torch
from helpers.tiny_trainer import ALONE, PLAIN, make_stepper, random_batch, same_weights

from svfap.config import FinetuneConfig, OptimConfig
from svfap.models import Autoencoder, VideoModel
from svfap.training.batch import Batch
from svfap.training.distributed import Ranks
from svfap.training.objectives import Classification, Reconstruction, Regression
from svfap.training.optim import parameter_groups
from svfap.training.step import Stepper, autocast_dtype, seed_everything


@pytest.fixture
def objective(toy_model):
    seed_everything(0)
    return Regression(VideoModel(toy_model, 1))


def split(batch, size):
    return [
        Batch(batch.video[i : i + size], batch.target[i : i + size], i, size / len(batch.video))
        for i in range(0, len(batch.video), size)
    ]


def weights(stepper):
    return {k: v.clone() for k, v in stepper.objective.model.state_dict().items()}


def test_batches_of_a_step_add_up(toy_model):
    ends = []
    for size in (4, 2, 1):
        seed_everything(0)
        stepper = make_stepper(Regression(VideoModel(toy_model, 1)), OptimConfig(clip_grad=1.0))
        results = [stepper.step(split(random_batch(seed=i), size), 1e-3) for i in range(3)]
        ends.append((weights(stepper), [r.loss for r in results], [r.norm for r in results]))
    for end, losses, norms in ends[1:]:
        assert losses == pytest.approx(ends[0][1], rel=1e-5)
        assert norms == pytest.approx(ends[0][2], rel=1e-4)
        for key, value in end.items():
            torch.testing.assert_close(value, ends[0][0][key], rtol=1e-4, atol=1e-5)


def test_each_group_has_its_own_rate(objective):
    stepper = make_stepper(objective)
    for group in stepper.optimizer.param_groups:
        group["lr_scale"] = 0.0
    before = weights(stepper)
    stepper.step([random_batch()], 1.0)
    assert same_weights(before, weights(stepper))


def test_clipping_bounds_the_step(objective):
    """With a gradient of norm 1e-12, AdamW's epsilon of 1e-8 outweighs it."""
    stepper = make_stepper(objective, OptimConfig(clip_grad=1e-12))
    before = weights(stepper)
    result = stepper.step([random_batch()], 1e-2)
    assert result.norm > 1e-3
    moved = max((value - before[key]).abs().max() for key, value in weights(stepper).items())
    assert 0 < moved < 1e-5


@pytest.mark.parametrize(
    ("precision", "expected"),
    [("auto", None), ("fp32", None), ("bf16", torch.bfloat16), ("fp16", torch.float16)],
)
def test_precision_of_products(objective, precision, expected):
    config = OptimConfig(precision=precision)
    assert autocast_dtype(config, ALONE.device) == expected
    stepper, seen = make_stepper(objective, config), []
    layer = objective.model.encoder.blocks[0].attn.q
    layer.register_forward_hook(lambda _, __, output: seen.append(output.dtype))
    before = weights(stepper)
    for i in range(2):
        result = stepper.step([random_batch(seed=i)], 1e-3)
        assert result.finite
    assert seen == [expected or torch.float32] * 2
    assert not same_weights(before, weights(stepper))
    assert all(p.dtype == torch.float32 for p in objective.model.parameters())
    assert stepper.scaler.is_enabled() == (precision == "fp16")


def test_overflow_of_autocast_dtype_only_lowers_the_scale(objective):
    stepper = make_stepper(objective, OptimConfig(precision="fp16"))
    stepper.scaler._scale = torch.tensor(2.0**40)
    stepper.scaler._lazy_init_scale_growth_tracker(ALONE.device)
    stepper.scaler._scale = torch.tensor(2.0**40)
    before = weights(stepper)
    result = stepper.step([random_batch()], 1e-3)
    assert result.finite
    assert stepper.scaler.get_scale() == 2.0**39
    assert same_weights(before, weights(stepper))


def test_averaged_weights(objective):
    stepper = make_stepper(objective, OptimConfig(ema=0.75))
    expected = None
    for i in range(4):
        stepper.step([random_batch(seed=i)], 1e-2)
        now = weights(stepper)
        before = now if expected is None else expected
        expected = {key: 0.75 * before[key] + 0.25 * value for key, value in now.items()}
    for key, value in stepper.result_weights.items():
        torch.testing.assert_close(value, expected[key])
    assert not same_weights(dict(stepper.result_weights), weights(stepper))


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_step_depends_on_nothing_but_the_state(toy_model, precision):
    """Stop after any step and load into a new stepper: the rest is equal bit for bit."""
    config = OptimConfig(ema=0.9, precision=precision)

    def fresh(seed):
        seed_everything(seed)
        model = VideoModel(toy_model, 2, drop_path=0.3)
        return make_stepper(Classification(model, FinetuneConfig(rand_augment="")), config)

    whole, broken = fresh(0), fresh(0)
    for i in range(4):
        whole.step([random_batch(first=4 * i)], 1e-2)
    for i in range(4):
        broken.step([random_batch(first=4 * i)], 1e-2)
        state = broken.state_dict()
        broken = fresh(99)
        broken.load_state_dict(state)
    assert same_weights(weights(whole), weights(broken))
    assert same_weights(whole.result_weights, broken.result_weights)


@pytest.mark.skipif(shutil.which("c++") is None, reason="torch.compile needs a C++ compiler")
@pytest.mark.slow
def test_compiled_steps_are_the_same(toy_model):
    ends = []
    small = toy_model.model_copy(update={"depths": (1, 2), "dim": 16})
    for compiled in (False, True):
        seed_everything(0)
        objective = Classification(VideoModel(small, 2), FinetuneConfig(**PLAIN))
        stepper = make_stepper(objective, compiled=compiled)
        losses = [stepper.step([random_batch(seed=i)], 1e-3).loss for i in range(2)]
        ends.append((losses, weights(stepper)))
    assert ends[0][0] == pytest.approx(ends[1][0], rel=1e-4)
    for key, value in ends[0][1].items():
        torch.testing.assert_close(value, ends[1][1][key], rtol=1e-3, atol=1e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_accumulate_and_update_do_not_wait_for_the_gpu(toy_model, precision):
    config = OptimConfig(precision=precision, clip_grad=1.0, ema=0.9)
    groups = parameter_groups(model := Autoencoder(toy_model), weight_decay=0.05)
    ranks = Ranks(device=torch.device("cuda"))
    stepper = Stepper(Reconstruction(model, 0.75, 0.5), groups, config, ranks=ranks, seed=0)
    batch = random_batch().prepared(ranks.device)
    for _ in range(2):  # the first copies the averaged weights and allocates
        stepper.step([batch], 1e-3)
    torch.cuda.set_sync_debug_mode("error")
    try:
        stepper.accumulate([batch])
        stepper.update(1e-3)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert stepper.complete().finite


def test_only_an_update_can_be_completed(objective):
    stepper = make_stepper(objective)
    stepper.step([random_batch()], 1e-3)
    with pytest.raises(RuntimeError, match=r"call update\(\) before complete\(\)"):
        stepper.complete()
