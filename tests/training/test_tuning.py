"""What fine-tuning trains: frozen blocks, low-rank updates, and a head on kept features."""

import csv
import re

import numpy as np
import pytest
import torch
from helpers.random_checkpoints import write_pretrained
from helpers.tiny_trainer import no_log, same_weights
from helpers.toy_shards import make_shards

from svfap.config import FinetuneConfig, LoraConfig, OptimConfig, TrainingMachine
from svfap.config.stage_sections import EvaluateJob, FinetuneJob
from svfap.config.yaml_file import parse
from svfap.errors import SvfapError
from svfap.evaluation import predictions
from svfap.evaluation.scoring import predict
from svfap.models import VideoModel
from svfap.probing import features
from svfap.shards.store import ClipStore
from svfap.stages import evaluate, finetune
from svfap.training import tuning
from svfap.training.checkpoint import Checkpoint, load_model
from svfap.training.loop import Trainer

LABELS = [0, 1] * 6


def job_of(model, *, task="classification", epochs=12, **keys):
    optim = OptimConfig(epochs=epochs, warmup_epochs=1, batch_size=4, lr=0.05)
    rates = {"probe": {"lr": 0.5}, "lora": {"lr": 0.05}}
    values = {"optim": optim.model_dump(), **rates, **keys}
    targets = ("no", "yes") if task == "classification" else ("level",)
    sections = {"seed": 3, "task": task, "targets": targets, "stride": 1, "model": model}
    return parse(FinetuneJob, sections | {"finetune": values})


def train(folder, job, *, machine=None, validation=()):
    """Fine-tune on two parts of noise; return the checkpoint and the pre-trained weights."""
    shards = [make_shards(folder / f"part{n}", LABELS, seed=n) for n in (0, 1)]
    pretrained = write_pretrained(folder / "pretrained.pt", job.model)
    output = folder / "finetune" / "checkpoint.pt"
    output.parent.mkdir(exist_ok=True)
    finetune.run(
        job,
        machine=machine or TrainingMachine(workers=0),
        pretrained=[pretrained],
        shards=shards,
        validation=[make_shards(folder / "held", LABELS, seed=9)] if validation else [],
        output=output,
        log=no_log,
    )
    return Checkpoint.read(output), Checkpoint.read(pretrained).model


def changed(checkpoint, pretrained):
    """Names of the encoder's weights that differ from the pre-trained ones."""
    own = {k: v for k, v in checkpoint.model.items() if k.startswith("encoder.")}
    return {key for key, value in own.items() if not torch.equal(value, pretrained[key])}


def test_lora_changes_its_targets_alone_and_keeps_a_plain_model(tmp_path, toy_model):
    lora = {"rank": 2, "targets": ["q", "fc2"], "lr": 0.05}
    found, before = train(tmp_path, job_of(toy_model, tune="lora", epochs=4, lora=lora))
    assert changed(found, before) == {
        key for key in found.model if re.search(r"encoder\.blocks\..*\.(q|fc2)\.weight$", key)
    }
    model, job = load_model(tmp_path / "finetune" / "checkpoint.pt")  # strict
    assert job.finetune.tune == "lora"
    for key in changed(found, before):
        update = found.model[key] - before[key]
        assert torch.linalg.matrix_rank(update, rtol=1e-3) <= 2
    assert {*model.state_dict()} == {*VideoModel(toy_model, 2).state_dict()}


def test_a_merged_model_gives_the_outputs_of_its_updates(toy_model):
    torch.manual_seed(0)
    model, config = VideoModel(toy_model, 3).eval(), LoraConfig(rank=3, alpha=5)
    video = torch.rand(2, 3, 8, 32, 32)
    with torch.no_grad():
        start = model(video)
    settings = FinetuneConfig(tune="lora", lora=config)
    tuning.prepare(model, settings)
    with torch.no_grad():
        assert torch.equal(model(video), start)  # updates start at 0
        for name, parameter in model.named_parameters():
            if name.endswith("lora_up"):
                torch.nn.init.normal_(parameter, std=0.3)
        updated = model(video)
        plain = VideoModel(toy_model, 3).eval()
        plain.load_state_dict(tuning.plain(model.state_dict(), config))
        assert not torch.allclose(updated, start, atol=1e-4)
        assert torch.allclose(plain(video), updated, atol=1e-5)


@pytest.mark.parametrize(
    ("count", "frozen"),
    [(0, ()), (1, ("patch_embed", "blocks.0")), (2, ("downsamples.0", "pools.0", "blocks.1"))],
)
def test_frozen_blocks_stay_and_the_others_learn(toy_model, count, frozen):
    model = VideoModel(toy_model, 2)
    tuning.prepare(model, FinetuneConfig(freeze=count))
    kept = {name for name, p in model.encoder.named_parameters() if not p.requires_grad}
    for start in frozen:
        assert any(name.startswith(start) for name in kept)
    assert not any(name.startswith(f"blocks.{count}.") for name in kept)
    assert bool(kept) == bool(count)


@pytest.mark.parametrize("pool", ["mean", "attention"])
def test_a_probe_learns_from_features_that_the_model_computes(tmp_path, toy_model, pool):
    job = job_of(toy_model, tune="probe", pool=pool, probe={"lr": 0.5, "flip": True}, epochs=30)
    found, before = train(tmp_path, job, validation=True)
    assert not changed(found, before)
    with (tmp_path / "finetune" / "curve.csv").open() as file:
        rows = [*csv.DictReader(file)]
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    # The validation from kept features equals that of the stage `evaluate` from frames.
    model, own = load_model(tmp_path / "finetune" / "checkpoint.pt")
    store = ClipStore([tmp_path / "held" / "index.parquet"])
    scored = predict(model, store, own, EvaluateJob(views=2), shown=False)
    units = predictions.by_group(predictions.by_clip(predictions.to_table(scored).to_pandas()))
    right = [t[0] == s.argmax() for t, s in zip(units["target"], units["score"], strict=True)]
    assert float(rows[-1]["validation WAR"]) == pytest.approx(sum(right) / len(right), abs=0.01)
    assert sum(right) / len(right) > 0.7


def test_folds_compute_the_features_of_a_part_once(tmp_path, toy_model, monkeypatch):
    computed, compute = [], features._compute

    def counted(model, store, *rest):
        computed.append(store.keys[0])
        return compute(model, store, *rest)

    monkeypatch.setattr(features, "_compute", counted)
    first, _ = train(tmp_path, job_of(toy_model, tune="probe"))
    assert computed == ["c0_000", "c1_000"]
    again, _ = train(tmp_path, job_of(toy_model, tune="probe"))
    assert len(computed) == 2
    assert same_weights(first.model, again.model)
    train(tmp_path, job_of(toy_model, tune="probe", probe={"views": 1, "lr": 0.5}))
    assert len(computed) == 4
    index = make_shards(tmp_path / "part0", LABELS, seed=5)  # other clips in their place
    job = job_of(toy_model, tune="probe")
    features.features_of(VideoModel(toy_model, 2), [index], job, encoder="")
    assert computed[-1] == "c5_000"
    for kept in index.parent.glob("features/*.pt"):
        kept.write_bytes(kept.read_bytes()[:-100])
    with pytest.raises(SvfapError, match=r"features/.*\.pt: not a whole .* delete it"):
        train(tmp_path, job)


@pytest.mark.parametrize("pool", ["mean", "attention"])
def test_a_probe_is_evaluated_by_the_features_that_folds_share(
    tmp_path, toy_model, monkeypatch, pool
):
    train(tmp_path, job_of(toy_model, tune="probe", pool=pool, epochs=2), validation=True)
    model, index = tmp_path / "finetune" / "checkpoint.pt", tmp_path / "held" / "index.parquet"
    monkeypatch.delattr(features, "_compute")  # the folds have kept all that is needed
    drawn = []
    monkeypatch.setattr(evaluate, "_draw_map", lambda mapped, *_: drawn.append(mapped))
    monkeypatch.setattr(evaluate, "_draw_attention", lambda *_: None)
    table, config = tmp_path / "predictions.parquet", EvaluateJob(dataset="d", fold="1", views=2)
    evaluate.run(config, model=model, shards=[index], output=table, log=no_log)
    network, job = load_model(model)
    store = ClipStore([index])
    expected = predict(network, store, job, config, shown=False)
    found = predictions.read([table])
    assert [*found["key"]] == expected.keys
    assert np.stack(found["score"].to_list()) == pytest.approx(expected.scores, abs=1e-3)
    assert drawn[0][0].shape == (len(store), toy_model.dim)


@pytest.mark.parametrize("tune", ["probe", "lora"])
def test_a_stopped_training_resumes_to_the_bit(tmp_path, toy_model, tune, monkeypatch):
    job = job_of(toy_model, tune=tune, epochs=3)
    whole, _ = train(tmp_path / "whole", job)
    complete = Trainer._complete_pending

    def stopping(self, log):
        rolled_back = complete(self, log)
        if self.curve and self.curve[-1]["step"] == 7:
            raise KeyboardInterrupt
        return rolled_back

    monkeypatch.setattr(Trainer, "_complete_pending", stopping)
    saving = TrainingMachine(save_minutes=1e-9, workers=0)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "broken", job, machine=saving)
    assert [*(tmp_path / "broken" / "finetune" / "state").glob("*.pt")]
    monkeypatch.undo()
    resumed, _ = train(tmp_path / "broken", job, machine=saving)
    assert same_weights(whole.model, resumed.model)


def test_regression_by_a_probe_predicts_in_the_unit_of_the_labels(tmp_path, toy_model):
    job = job_of(toy_model, task="regression", tune="probe", epochs=30, probe={"lr": 0.2})
    found, _ = train(tmp_path, job)
    assert found.scale.mean == pytest.approx((0.5,))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"tune": "probe", "drop_path": 0.1}, "trains no block to drop; remove drop_path"),
        ({"tune": "probe", "init": "scratch"}, "keeps random weights with init: scratch"),
        ({"freeze": 1, "init": "scratch"}, "keeps random weights with init: scratch"),
        ({"tune": "lora", "freeze": 2}, "freezes all blocks; remove freeze"),
        ({"tune": "lora", "lora": {"targets": ["query"]}}, "'query'; write 'q', 'k', 'v'"),
        ({"tune": "lora", "lora": {"targets": []}}, "at least 1 item"),
        ({"tune": "head"}, "write 'full', 'probe' or 'lora'"),
        ({"freeze": 99}, "the model has 5 blocks, fewer than that"),
    ],
)
def test_settings_that_cannot_work_are_one_line(toy_model, keys, message):
    with pytest.raises(SvfapError, match=re.escape(message)) as error:
        job_of(toy_model, **keys)
    assert "\n" not in str(error.value)


def test_a_probe_drops_no_block_by_default():
    assert FinetuneConfig(tune="probe").dropped == 0
    assert FinetuneConfig().dropped == FinetuneConfig(tune="lora").dropped == 0.1
