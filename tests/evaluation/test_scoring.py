"""Inference: one implementation, bit for bit the model's own output, whoever calls it."""

import numpy as np
import pytest
import torch
from helpers.toy_shards import make_shards

from svfap.config import FinetuneConfig
from svfap.config.machine import ScoringMachine
from svfap.config.stage_sections import EvaluateJob, FinetuneJob
from svfap.evaluation import scoring
from svfap.evaluation.scoring import Scorer
from svfap.models import VideoModel
from svfap.shards.store import ClipStore
from svfap.training.checkpoint import Checkpoint
from svfap.training.objectives import normalise, unit_range
from svfap.use.mlflow_model import MlflowPredictor


def make_job(model, task="classification", targets=("a", "b"), activation="none"):
    settings = FinetuneConfig(activation=activation)
    return FinetuneJob(seed=0, task=task, targets=targets, stride=1, model=model, finetune=settings)


def make_network(job):
    torch.manual_seed(0)
    network = VideoModel(job.model, len(job.targets), activation=job.finetune.activation)
    if job.targets:
        torch.nn.init.normal_(network.head.weight)
    return network.eval()


def make_clips(count, size=32):
    shape = (count, 8, size, size, 3)
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


CASES = [("classification", "none"), ("regression", "sigmoid"), ("regression", "tanh")]


@pytest.mark.parametrize(("task", "activation"), CASES)
def test_scores_are_to_the_bit_those_of_the_models_forward(toy_model, task, activation):
    job = make_job(toy_model, task, activation=activation)
    network, clips = make_network(job), make_clips(5)
    found = Scorer(network, job).score(list(clips))
    with torch.inference_mode():
        video = normalise(unit_range(torch.from_numpy(clips)))
        output = network(video)
        expected = output.softmax(dim=1) if task == "classification" else output
        features = network.embed(video)
    np.testing.assert_array_equal(found.scores, expected.numpy())
    np.testing.assert_array_equal(found.embeddings, features.numpy())


def test_a_model_without_head_scores_its_embeddings(toy_model):
    job = make_job(toy_model, targets=())
    found = Scorer(make_network(job), job).score(list(make_clips(2)))
    np.testing.assert_array_equal(found.scores, found.embeddings)
    assert found.scores.shape == (2, 24)


def test_frames_are_scaled_to_the_models_size(toy_model):
    job = make_job(toy_model)
    video = Scorer(make_network(job), job).to_video([make_clips(1, 48)[0], make_clips(1, 20)[0]])
    assert video.shape == (2, 8, 32, 32, 3)


def test_evaluation_and_mlflow_model_give_the_same_scores(tmp_path, toy_model):
    job = make_job(toy_model)
    network = make_network(job)
    Checkpoint(network.state_dict(), job).write(tmp_path / "m.pt")
    store = ClipStore([make_shards(tmp_path / "shards", [0, 1] * 3)])
    views, machine = job.finetune.views, ScoringMachine(batch_size=job.finetune.views)
    found = scoring.predict(
        network.train(), store, job, EvaluateJob(views=views), machine=machine, shown=False
    )
    assert not network.training
    videos = [store.frames(clip, range(store.length(clip))) for clip in range(len(store))]
    served = MlflowPredictor(tmp_path / "m.pt").predict(np.stack(videos))
    means = found.scores.reshape(len(store), -1, 2).mean(axis=1)
    np.testing.assert_array_equal(served, means)


def test_validation_metrics_are_those_of_the_task(tmp_path, toy_model):
    store = ClipStore([make_shards(tmp_path / "shards", [0, 1] * 3)])
    job = make_job(toy_model)
    found = scoring.validation_metrics(make_network(job), store, job)
    assert [*found] == ["UAR", "WAR", "WF1", "MF1", "MicroF1"]
    assert all(0 <= value <= 1 for value in found.values())
