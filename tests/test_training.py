"""Training: data order, schedule, parameter groups, learning, resume, checkpoints."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import make_shards

from svfap.config import FinetuneConfig, FinetuneJob, OptimConfig, PretrainConfig, PretrainJob
from svfap.errors import SvfapError
from svfap.models import Autoencoder, VideoModel
from svfap.shards import ClipStore
from svfap.stages import evaluate, finetune, pretrain
from svfap.training import checkpoint
from svfap.training.data import Batch, Draws, Loader
from svfap.training.loop import Trainer, seed_everything
from svfap.training.objectives import Classification, Regression, normalise, unit_range
from svfap.training.optim import layer_of, learning_rate, parameter_groups
from svfap.training.reconstruction import reconstruct, unpatch
from svfap.video.sampling import train_indices
from svfap.video.transforms import resize

PLAIN = {"mixup": 0, "cutmix": 0, "rand_augment": "", "erasing": 0, "label_smoothing": 0}


def no_log(metrics, step=0):
    pass


def draws(store, seed=0):
    return Draws(
        store,
        lambda length, rng: train_indices(length, 8, 1, rng),
        lambda frames, rng: resize(frames, 32),
        seed,
    )


def test_every_clip_comes_once_an_epoch(tmp_path):
    store = ClipStore([make_shards(tmp_path, np.linspace(0, 1, 10))])
    loader = Loader(draws(store), batch_size=4, epochs=4, workers=0)
    assert loader.steps == 10
    stream = torch.cat([batch.target[:, 0] for batch in loader.batches(0)])
    epochs = stream.unflatten(0, (4, 10))
    assert (epochs.sort(dim=1).values == torch.from_numpy(store.targets[:, 0]).sort().values).all()
    assert not torch.equal(epochs[0], epochs[1])


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_do_not_depend_on_where_one_begins(tmp_path, workers):
    store = ClipStore([make_shards(tmp_path, np.linspace(0, 1, 10))])
    loader = Loader(draws(store), batch_size=3, epochs=3, workers=0)
    whole = list(loader.batches(0))
    resumed = list(Loader(draws(store), batch_size=3, epochs=3, workers=workers).batches(6))
    assert len(resumed) == len(whole) - 6
    for one, other in zip(whole[6:], resumed, strict=True):
        assert torch.equal(one.video, other.video)
        assert torch.equal(one.target, other.target)


def test_schedule():
    config = OptimConfig(lr=1e-3, min_lr=1e-6, batch_size=128, warmup_epochs=5)
    rates = [learning_rate(s, steps=100, steps_per_epoch=2.0, config=config) for s in range(100)]
    assert rates[0] == 0
    assert rates[5] == pytest.approx(0.25e-3)  # half of the warm-up, half of the batch of 256
    assert max(rates) == rates[10] == pytest.approx(0.5e-3)
    assert rates[55] == pytest.approx((0.5e-3 + 0.5e-6) / 2)
    assert rates[-1] == pytest.approx(0.5e-6, rel=0.5)
    assert sorted(rates[10:], reverse=True) == rates[10:]


def test_layer_decay_of_every_parameter(toy_model):
    model = VideoModel(toy_model, 2)
    groups = parameter_groups(model, weight_decay=0.05, layer_decay=0.5, depths=toy_model.depths)
    of = {id(p): group for group in groups for p in group["params"]}
    named = dict(model.named_parameters())
    assert len(of) == len(named)
    scale = {name: of[id(p)]["lr_scale"] for name, p in named.items()}
    assert scale["encoder.patch_embed.weight"] == 0.5**6  # five blocks
    assert scale["encoder.blocks.0.attn.q.weight"] == 0.5**5
    assert scale["encoder.stages.0.blocks.0.cross.q.weight"] == 0.5**4
    assert scale["encoder.stages.1.blocks.1.block.mlp.fc1.bias"] == 0.5
    assert scale["encoder.stages.1.downsample.proj.weight"] == 1
    assert scale["head.weight"] == scale["fc_norm.weight"] == 1
    decay = {name: of[id(p)]["weight_decay"] for name, p in named.items()}
    assert decay["head.weight"] == 0.05
    assert decay["head.bias"] == decay["fc_norm.weight"] == 0
    assert layer_of("mask_token", 1, (2, 2)) == 6


def test_images_are_normalised_as_imagenet():
    video = torch.full((1, 2, 4, 4, 3), 255, dtype=torch.uint8)
    out = normalise(unit_range(video))
    assert out.shape == (1, 3, 2, 4, 4)
    assert out[0, :, 0, 0, 0] == pytest.approx(
        (1 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    )


@pytest.mark.parametrize("size", [3, 4])
def test_augmented_classification_has_a_loss(toy_model, size):
    config = FinetuneConfig(rand_augment="", erasing=1.0)
    objective = Classification(VideoModel(toy_model, 2), config)
    video = torch.randint(0, 256, (size, 8, 32, 32, 3), dtype=torch.uint8)
    seed_everything(0)
    loss = objective.loss(Batch(video, torch.zeros(size, 1)))
    assert loss.item() == pytest.approx(np.log(2), abs=0.05)


def fit(tmp_path, objective, store, *, epochs=30, lr=0.1, state="state.pt", **optim):
    config = OptimConfig(
        epochs=epochs, warmup_epochs=2, batch_size=4, lr=lr, betas=(0.9, 0.999), **optim
    )
    loader = Loader(draws(store), batch_size=4, epochs=epochs, workers=0)
    depths = objective.model.encoder.config.depths
    groups = parameter_groups(objective.model, weight_decay=0, layer_decay=1, depths=depths)
    trainer = Trainer(
        objective, loader, config, groups, tmp_path / state, identity="x", label="test"
    )
    return trainer.fit(no_log)


def test_four_clips_are_overfitted(tmp_path, toy_model):
    store = ClipStore([make_shards(tmp_path, [0, 1, 0, 1])])
    seed_everything(0)
    objective = Classification(VideoModel(toy_model, 2), FinetuneConfig(**PLAIN))
    curve = fit(tmp_path, objective, store, epochs=100)
    assert curve[0]["loss"] > 0.5
    assert curve[-1]["loss"] < 0.1


def test_regression_learns_its_targets(tmp_path, toy_model):
    store = ClipStore([make_shards(tmp_path, [0, 0.3, 0.6, 1])])
    seed_everything(0)
    curve = fit(tmp_path, Regression(VideoModel(toy_model, 1)), store, epochs=40)
    assert curve[-1]["loss"] < 0.2 * curve[0]["loss"]


def test_a_loss_that_is_not_finite_stops_with_advice(tmp_path, toy_model):
    store = ClipStore([make_shards(tmp_path, [0, 1])])
    model = VideoModel(toy_model, 2)
    model.head.weight.data.fill_(float("nan"))
    with pytest.raises(SvfapError, match=r"loss is nan at step 0; lower optim\.lr"):
        fit(tmp_path, Classification(model, FinetuneConfig(**PLAIN)), store)


@pytest.fixture
def job(toy_model):
    optim = OptimConfig(epochs=6, warmup_epochs=1, batch_size=4, lr=0.05, save_minutes=1e-6)
    return PretrainJob(seed=3, model=toy_model, pretrain=PretrainConfig(stride=1, optim=optim))


def test_pretraining_lowers_the_loss_and_shows_it(tmp_path, job):
    shards = [make_shards(tmp_path / "shards", [0, 1] * 4)]
    output = tmp_path / "out" / "checkpoint.pt"
    output.parent.mkdir()
    pretrain.run(job, shards=shards, output=output, log=no_log)
    with (tmp_path / "out" / "curve.csv").open() as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert losses[-1] < losses[0]
    assert (tmp_path / "out" / "reconstruction.png").stat().st_size > 1000
    assert not (tmp_path / "out" / "state" / "last.pt").exists()
    saved = checkpoint.load(output)
    assert PretrainJob.model_validate(saved["config"]) == job


def test_a_killed_run_ends_in_the_same_weights(tmp_path, job):
    """SIGKILL in the middle, run again: bit for bit the weights of an unbroken run."""
    shards = make_shards(tmp_path / "shards", [0, 1] * 4)
    whole = tmp_path / "whole" / "checkpoint.pt"
    whole.parent.mkdir()
    pretrain.run(job, shards=[shards], output=whole, log=no_log)
    broken = tmp_path / "broken" / "checkpoint.pt"
    command = [
        *(sys.executable, "-m", "svfap", "pretrain", "--config", job.model_dump_json()),
        *("--shards", str(shards), "--output", str(broken)),
    ]
    environment = os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    state = broken.parent / "state" / "last.pt"
    with subprocess.Popen(command, env=environment) as process:
        while not state.exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert not broken.exists()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "going on at step" in done.stderr
    one, other = checkpoint.load(whole)["model"], checkpoint.load(broken)["model"]
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_finetuning_begins_with_the_pretrained_encoder(tmp_path, job, toy_model):
    shards = [make_shards(tmp_path / "shards", [0, 1] * 4)]
    autoencoder = Autoencoder(toy_model)
    pretrained = tmp_path / "pretrained.pt"
    checkpoint.save(pretrained, {"model": autoencoder.state_dict()})
    optim = OptimConfig(epochs=1, warmup_epochs=1, batch_size=4, lr=1e-12, min_lr=0)
    config = FinetuneJob(
        seed=0, task="classification", targets=("no", "yes"), stride=1, model=toy_model,
        finetune=FinetuneConfig(optim=optim, **PLAIN),
    )  # fmt: skip
    output = tmp_path / "out" / "checkpoint.pt"
    output.parent.mkdir()
    finetune.run(config, pretrained=[pretrained], shards=shards, output=output, log=no_log)
    model, loaded = evaluate.load_model(output)
    assert loaded == config
    weight = model.encoder.blocks[0].attn.q.weight
    assert torch.allclose(weight, autoencoder.encoder.blocks[0].attn.q.weight, atol=1e-6)


def test_a_checkpoint_of_another_width(tmp_path, toy_model):
    other = toy_model.model_copy(update={"dim": 32})
    weights = Autoencoder(other).encoder.state_dict()
    with pytest.raises(SvfapError, match=r"positions|is \(32, .*the model's is \(24"):
        checkpoint.load_weights(Autoencoder(toy_model).encoder, weights, where="x.pt")


@pytest.mark.parametrize("damage", ["cut", "text", "pickle"])
def test_damaged_checkpoints(tmp_path, damage):
    path = tmp_path / "checkpoint.pt"
    checkpoint.save(path, {"model": {"a": torch.zeros(1000)}})
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-500])
    elif damage == "text":
        path.write_text("hello")
    else:
        torch.save({"model": Path("/")}, path)
    with pytest.raises(SvfapError, match=r"checkpoint\.pt: not a whole checkpoint") as error:
        checkpoint.load(path)
    assert "\n" not in str(error.value)


def test_missing_checkpoint(tmp_path):
    with pytest.raises(SvfapError, match="cannot be read"):
        checkpoint.load(tmp_path / "none.pt")


def test_reconstruction_keeps_what_is_visible(toy_model):
    model = Autoencoder(toy_model).eval()
    video = torch.rand(2, 3, 8, 32, 32)
    mask = torch.zeros(2, 64, dtype=torch.bool)
    mask[:, ::4] = True
    masked, output = reconstruct(model, video, mask)
    assert masked.shape == output.shape == video.shape
    assert torch.allclose(masked[:, :, 0, :8, 8:], video[:, :, 0, :8, 8:], atol=1e-6)
    assert (masked[:, :, :2, :8, :8] == 0.5).all()
    assert torch.allclose(output[:, :, 0, :8, 8:], video[:, :, 0, :8, 8:], atol=1e-6)


def test_unpatch_undoes_patching():
    from svfap.models.autoencoder import patch_pixels

    video = torch.rand(2, 3, 8, 32, 32)
    assert torch.equal(unpatch(patch_pixels(video, 2, 8), slices=4, tubelet=2, patch=8), video)
