"""Regression learns the same from labels in any unit, and predicts in that unit."""

import numpy as np
import pytest
from helpers.tiny_trainer import PLAIN, no_log
from helpers.toy_shards import make_shards

from svfap.config import FinetuneConfig, OptimConfig
from svfap.config.stage_sections import EvaluateJob, FinetuneJob
from svfap.evaluation.metrics import METRICS
from svfap.evaluation.predictions import read
from svfap.experiment import resolve
from svfap.shards.store import ClipStore
from svfap.stages import evaluate, finetune
from svfap.training.checkpoint import Checkpoint
from svfap.training.target_scale import TargetScale

LEVELS = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0] * 2


def job_of(model, **keys) -> FinetuneJob:
    optim = OptimConfig(epochs=15, warmup_epochs=1, batch_size=4, lr=0.1, betas=(0.9, 0.98))
    config = FinetuneConfig(init="scratch", optim=optim, **PLAIN, **keys)
    return FinetuneJob(
        seed=0, task="regression", targets=("level",), stride=1, model=model, finetune=config
    )


def shards_of(folder, factor, shift):
    """Clips whose brightness shows a level between 0 and 1; the label is in another unit."""
    index = make_shards(folder, LEVELS)
    store = ClipStore([index])
    return index, store.with_targets((store.targets * factor + shift).astype(np.float32))


def train(folder, job, factor, shift, monkeypatch) -> tuple[np.ndarray, np.ndarray, Checkpoint]:
    """Train and evaluate the stages on labels of a unit; return targets, scores and checkpoint."""
    index, labelled = shards_of(folder / "shards", factor, shift)
    for stage in (finetune, evaluate):
        monkeypatch.setattr(stage, "ClipStore", lambda _: labelled)
    for name in ("_draw_map", "_draw_attention"):  # figures take most of the time
        monkeypatch.setattr(evaluate, name, lambda *_: None)
    model, table = folder / "checkpoint.pt", folder / "predictions.parquet"
    inputs = {"pretrained": [], "shards": [index], "validation": [index]}
    finetune.run(job, **inputs, output=model, log=no_log)
    job = EvaluateJob(views=1, dataset="mine", fold="1")
    evaluate.run(job, model=model, shards=[index], output=table, log=no_log)
    frame = read([table])
    targets, scores = (np.stack(frame[column].to_list()) for column in ("target", "score"))
    return targets, scores, Checkpoint.read(model)


def test_any_linear_rescaling_of_the_labels_gives_the_same_ccc(tmp_path, toy_model, monkeypatch):
    job, ccc, standard = job_of(toy_model), [], []
    for factor, shift in ((1, 0), (8, 1), (100, -20)):
        folder = tmp_path / f"{factor}-{shift}"
        targets, scores, checkpoint = train(folder, job, factor, shift, monkeypatch)
        ccc.append(float(METRICS["CCC"].compute(targets, scores)[0]))
        standard.append((scores - shift) / factor)
        assert checkpoint.scale.mean == pytest.approx((0.5 * factor + shift,), rel=1e-3)
        curve = (folder / "curve.csv").read_text().splitlines()
        last = dict(zip(curve[0].split(","), curve[-1].split(","), strict=True))
        assert float(last["validation CCC"]) == pytest.approx(ccc[-1], abs=0.05)
    assert ccc[0] > 0.8
    assert ccc == pytest.approx([ccc[0]] * len(ccc), abs=0.02)
    for other in standard[1:]:
        assert other == pytest.approx(standard[0], abs=0.02)


def test_raw_targets_train_on_the_labels_themselves(tmp_path, toy_model, monkeypatch):
    job = job_of(toy_model, target_scale="raw")
    *_, checkpoint = train(tmp_path, job, 100, 0, monkeypatch)
    assert checkpoint.scale == TargetScale()


def test_a_constant_target_keeps_its_unit(toy_model):
    scale = TargetScale.of(job_of(toy_model), np.full((5, 1), 0.1, np.float32))
    assert scale.deviation == (1.0,)
    assert scale.standardise(np.full((2, 1), 0.1, np.float32)) == pytest.approx(0)


def test_scores_are_restored_exactly(toy_model):
    targets = np.random.default_rng(0).normal(50, 7, (9, 1)).astype(np.float32)
    scale = TargetScale.of(job_of(toy_model), targets)
    assert scale.standardise(targets).std() == pytest.approx(1, abs=1e-5)
    assert scale.restore(scale.standardise(targets)) == pytest.approx(targets, rel=1e-5)


def test_the_papers_datasets_are_regressed_as_in_the_paper(tmp_path):
    values = {"datasets": {"ChaLearn": {}}, "finetune": {"init": "scratch"}}
    job = resolve.resolve(values, where="config").finetune_section("ChaLearn")
    assert not job.standardises
    values["datasets"]["ChaLearn"] = {"finetune": {"target_scale": "standardise"}}
    assert resolve.resolve(values, where="config").finetune_section("ChaLearn").standardises


def test_an_activation_keeps_raw_targets(toy_model):
    assert not job_of(toy_model, activation="sigmoid").standardises
    with pytest.raises(ValueError, match="cannot reach standardised values"):
        job_of(toy_model, activation="sigmoid", target_scale="standardise")
