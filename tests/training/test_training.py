"""Training runs: learning, stages, bit-exact resuming after a kill, stop signals."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from helpers.tiny_trainer import PLAIN, make_stepper, no_log, same_weights, trainer
from helpers.toy_shards import make_shards

from svfap.config import FinetuneConfig, OptimConfig, PretrainConfig, TrainingMachine
from svfap.config.stage_sections import FinetuneJob, PretrainJob
from svfap.errors import SvfapError
from svfap.models import Autoencoder, VideoModel
from svfap.shards.store import ClipStore
from svfap.stages import finetune, pretrain
from svfap.training import tensor_file
from svfap.training.batch import Batch
from svfap.training.checkpoint import Checkpoint, load_model
from svfap.training.objectives import Classification, Reconstruction, Regression
from svfap.training.step import seed_everything
from svfap.training.training_run import run_hash


def test_four_clips_are_overfitted(tmp_path, toy_model):
    store = ClipStore([make_shards(tmp_path, [0, 1, 0, 1])])
    seed_everything(0)
    objective = Classification(VideoModel(toy_model, 2), FinetuneConfig(**PLAIN))
    curve = trainer(tmp_path, objective, store, epochs=100).fit(no_log)
    assert curve[0]["loss"] > 0.5
    assert curve[-1]["loss"] < 0.1


def test_four_clips_are_reconstructed(toy_model):
    """Clips of smooth waves: hidden patches can be inferred from the visible ones."""
    seed_everything(0)
    place = torch.arange(32) / 32 * torch.pi
    waves = [torch.sin(k * place)[:, None] * torch.cos(k * place) for k in (1, 2, 3, 4)]
    video = (torch.stack(waves) * 100 + 128).to(torch.uint8)
    video = video[:, None, :, :, None].expand(-1, 8, -1, -1, 3)
    wider = toy_model.model_copy(update={"dim": 48, "decoder_dim": 64})
    stepper = make_stepper(Reconstruction(Autoencoder(wider), 0.5), OptimConfig(clip_grad=1.0))
    losses = [
        stepper.step([Batch(video, torch.zeros(4, 1), first=step)], 3e-3).loss
        for step in range(200)
    ]
    assert losses[0] > 0.9  # targets have unit variance
    assert sum(losses[-10:]) / 10 < 0.8


def test_regression_learns_its_targets(tmp_path, toy_model):
    store = ClipStore([make_shards(tmp_path, [0, 0.3, 0.6, 1])])
    seed_everything(0)
    objective = Regression(VideoModel(toy_model, 1))
    curve = trainer(tmp_path, objective, store, epochs=40).fit(no_log)
    assert curve[-1]["loss"] < 0.2 * curve[0]["loss"]


@pytest.fixture
def pretraining(toy_model):
    optim = OptimConfig(epochs=12, warmup_epochs=1, batch_size=4, lr=0.05, ema=0.9)
    return PretrainJob(seed=3, model=toy_model, pretrain=PretrainConfig(stride=1, optim=optim))


@pytest.fixture
def finetuning(toy_model):
    """Everything random is on: frames, crops, RandAugment, erasing, mixup, cutmix, drop path."""
    optim = OptimConfig(epochs=12, warmup_epochs=1, batch_size=4, lr=0.05)
    config = FinetuneConfig(init="scratch", drop_path=0.2, optim=optim)
    return FinetuneJob(
        seed=3,
        task="classification",
        targets=("no", "yes"),
        stride=1,
        model=toy_model,
        finetune=config,
    )


def test_pretraining_lowers_the_loss_and_shows_it(tmp_path, pretraining):
    shards = [make_shards(tmp_path / "shards", [0, 1] * 4)]
    output = tmp_path / "out" / "checkpoint.pt"
    output.parent.mkdir()
    machine = TrainingMachine(save_minutes=1e-6)
    pretrain.run(pretraining, machine=machine, shards=shards, output=output, log=no_log)
    with (tmp_path / "out" / "curve.csv").open() as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert losses[-1] < losses[0]
    assert (tmp_path / "out" / "reconstruction.png").stat().st_size > 1000
    assert not [*(tmp_path / "out" / "state").iterdir()]
    assert Checkpoint.read(output).job == pretraining
    assert {"version", "commit", "config"} <= tensor_file.read(output).keys()


def test_pretraining_takes_datasets_with_and_without_labels(tmp_path, pretraining):
    optim = pretraining.pretrain.optim.model_copy(update={"epochs": 2})
    job = pretraining.model_copy(
        update={"pretrain": pretraining.pretrain.model_copy(update={"optim": optim})}
    )
    shards = [
        make_shards(tmp_path / f"{width} targets", [0, 1, 0], width=width) for width in (0, 1, 3)
    ]
    output = tmp_path / "out" / "checkpoint.pt"
    output.parent.mkdir()
    pretrain.run(job, shards=shards, output=output, log=no_log)
    assert Checkpoint.read(output).clips == 9


@pytest.mark.parametrize(
    ("stage", "after"), [("pretrain", 11), pytest.param("finetune", 2, marks=pytest.mark.slow)]
)
def test_a_killed_run_ends_in_the_same_weights(tmp_path, request, stage, after):
    """Kill a run with SIGKILL and run it again: the weights equal an unbroken run's bit for bit."""
    job = request.getfixturevalue({"pretrain": "pretraining", "finetune": "finetuning"}[stage])
    shards = make_shards(tmp_path / "shards", [0, 1] * 4)
    whole, broken = (tmp_path / name / "checkpoint.pt" for name in ("whole", "broken"))
    whole.parent.mkdir()
    inputs = {"shards": [shards]} | (
        {"pretrained": [], "validation": []} if stage == "finetune" else {}
    )
    {"pretrain": pretrain, "finetune": finetune}[stage].run(job, **inputs, output=whole, log=no_log)
    command = [
        *(sys.executable, "-m", "svfap", stage, "--config", job.model_dump_json()),
        *("--machine", '{"save_minutes": 1e-6, "workers": 1}'),
        *("--shards", str(shards), "--output", str(broken)),
    ]
    environment = os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    record = broken.parent / "run.jsonl"
    with subprocess.Popen(command, env=environment) as process:
        while not record.exists() or record.read_text().count('"event": "metrics"') < after:
            assert process.poll() is None
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
    assert not broken.exists()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "resuming at step" in done.stderr
    assert same_weights(Checkpoint.read(whole).model, Checkpoint.read(broken).model)
    steps = [row.split(",")[0] for row in (broken.parent / "curve.csv").read_text().splitlines()]
    assert steps == ["step", *map(str, range(1, 25))]


def test_a_resume_on_another_kind_of_device_is_told_in_one_line(tmp_path, toy_model, caplog):
    store = ClipStore([make_shards(tmp_path, [0, 1] * 4)])

    def made(precision):
        seed_everything(0)
        objective = Regression(VideoModel(toy_model, 1))
        return trainer(tmp_path, objective, store, save_minutes=1e-9, epochs=2, precision=precision)

    made("fp32").fit(no_log)
    assert "what began on" not in caplog.text
    made("bf16").fit(no_log)
    assert "test: resuming on cpu in bfloat16 what began on cpu in float32; the wei" in caplog.text


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGUSR1, marks=pytest.mark.slow)]
)
def test_stop_signals_save_within_seconds(tmp_path, finetuning, number):
    optim = finetuning.finetune.optim.model_copy(update={"epochs": 10**5})
    config = finetuning.finetune.model_copy(update={"optim": optim})
    job = finetuning.model_copy(update={"finetune": config})
    shards = make_shards(tmp_path / "shards", [0, 1] * 4)
    output = tmp_path / "out" / "checkpoint.pt"
    command = [
        *(sys.executable, "-m", "svfap", "finetune", "--config", job.model_dump_json()),
        *("--shards", str(shards), "--output", str(output)),
    ]
    record = output.parent / "run.jsonl"
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while not record.exists() or '"metrics"' not in record.read_text():
            assert process.poll() is None
            time.sleep(0.05)
        sent = time.monotonic()
        process.send_signal(number)
        assert process.wait(60) == 128 + number
        assert time.monotonic() - sent < 20
        assert "stopped at step" in process.stderr.read()
    assert tensor_file.read(output.parent / "state" / "last.pt")["step"] > 0


def test_the_hash_of_a_run_holds_its_settings_and_data(tmp_path, pretraining):
    def changed(**optim):
        section = pretraining.pretrain
        section = section.model_copy(update={"optim": section.optim.model_copy(update=optim)})
        return run_hash(pretraining.model_copy(update={"pretrain": section}), [path])

    path = tmp_path / "index.parquet"
    path.write_bytes(b"clips")
    same = changed()
    assert same != changed(lr=1.0)
    path.write_bytes(b"others")
    assert same != changed()


def test_finetuning_starts_from_the_pretrained_encoder(tmp_path, finetuning, toy_model):
    shards = [make_shards(tmp_path / "shards", [0, 1] * 4)]
    autoencoder = Autoencoder(toy_model)
    pretrained = tmp_path / "pretrained.pt"
    tensor_file.write(pretrained, {"model": autoencoder.state_dict()})
    optim = OptimConfig(epochs=1, warmup_epochs=1, batch_size=4, lr=1e-12, min_lr=0)
    config = finetuning.model_copy(update={"finetune": FinetuneConfig(optim=optim, **PLAIN)})
    output = tmp_path / "out" / "checkpoint.pt"
    output.parent.mkdir()
    finetune.run(
        config, pretrained=[pretrained], shards=shards, validation=[], output=output, log=no_log
    )
    model, loaded = load_model(output)
    assert loaded == config
    weight = model.encoder.blocks[0].attn.q.weight
    assert torch.allclose(weight, autoencoder.encoder.blocks[0].attn.q.weight, atol=1e-6)


def test_validation_is_scored_every_epoch_and_changes_nothing(tmp_path, finetuning):
    shards = [make_shards(tmp_path / "shards", [0, 1] * 5)]
    held_back = [make_shards(tmp_path / "held_back", [0, 1] * 2, seed=1)]
    ends = []
    for name, validation in (("without", []), ("with", held_back)):
        output = tmp_path / name / "checkpoint.pt"
        output.parent.mkdir()
        finetune.run(
            finetuning,
            pretrained=[],
            shards=shards,
            validation=validation,
            output=output,
            log=no_log,
        )
        ends.append(Checkpoint.read(output).model)
    assert same_weights(*ends)
    with (tmp_path / "with" / "curve.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["validation UAR"]]
    assert [float(row["epoch"]) // 1 for row in rows] == list(range(1, 13))
    assert all(0 <= float(row["validation WAR"]) <= 1 for row in rows)
    assert float(rows[-1]["validation UAR"]) > 0.7  # brightness tells the class


def test_a_pretrained_model_of_another_width(tmp_path, finetuning, toy_model):
    wider = Autoencoder(toy_model.model_copy(update={"dim": 32}))
    pretrained = tmp_path / "pretrained.pt"
    tensor_file.write(pretrained, {"model": wider.state_dict()})
    config = finetuning.model_copy(update={"finetune": FinetuneConfig()})
    shards = [make_shards(tmp_path / "shards", [0, 1])]
    with pytest.raises(SvfapError, match=r"pretrained\.pt: .*32 wide, the model 24"):
        finetune.run(
            config,
            pretrained=[pretrained],
            shards=shards,
            validation=[],
            output=Path("x"),
            log=no_log,
        )


@pytest.mark.parametrize(
    ("task", "targets", "message"),
    [
        ("classification", ("only",), r"2 classes, the head 1 \(only\)"),
        ("regression", ("arousal", "valence"), r"1 targets, the head 2 \(arousal, valence\)"),
    ],
)
def test_clips_must_match_the_head(tmp_path, finetuning, task, targets, message):
    job = finetuning.model_copy(update={"task": task, "targets": targets})
    shards = [make_shards(tmp_path / "shards", [0, 1])]
    with pytest.raises(SvfapError, match=message):
        finetune.run(
            job, pretrained=[], shards=shards, validation=[], output=tmp_path / "x.pt", log=no_log
        )
