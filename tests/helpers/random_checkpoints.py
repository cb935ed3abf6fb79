"""Helpers for tests of models in use: small checkpoints whose scores differ from video to video."""

from pathlib import Path

import torch

from svfap.config import FinetuneConfig, ModelConfig, PretrainConfig
from svfap.config.stage_sections import FinetuneJob, PretrainJob
from svfap.models import Autoencoder, VideoModel
from svfap.training import checkpoint

CLASSES = ("happy", "surprise", "sad")
TRAITS = ("openness", "conscientiousness", "extraversion", "agreeableness", "neuroticism")
NOTICE = "Made-up weights."


def write_checkpoint(
    path: Path,
    model: ModelConfig,
    *,
    targets=CLASSES,
    task="classification",
    activation="none",
    stride=2,
    **known,
) -> Path:
    """A fine-tuned model with random weights."""
    torch.manual_seed(0)
    network = VideoModel(model, len(targets), activation=activation)
    torch.nn.init.normal_(network.head.weight, std=0.5)
    job = FinetuneJob(
        seed=0, task=task, targets=targets, stride=stride, notice=NOTICE, model=model,
        finetune=FinetuneConfig(activation=activation),
    )  # fmt: skip
    content = {"model": network.state_dict(), "config": job.model_dump(mode="json"), "clips": 9}
    checkpoint.save(path, content | {"crop": {"preset": "auto"}} | known)
    return path


def write_pretrained(path: Path, model: ModelConfig) -> Path:
    """A pre-trained model with random weights."""
    torch.manual_seed(0)
    job = PretrainJob(seed=0, model=model, pretrain=PretrainConfig(datasets=("a",), stride=2))
    content = {"model": Autoencoder(model).state_dict(), "config": job.model_dump(mode="json")}
    checkpoint.save(path, content | {"crop": {"preset": "auto"}})
    return path
