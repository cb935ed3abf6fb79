"""Small checkpoints with random weights, whose scores differ from video to video."""

from pathlib import Path

import torch

from svfap.config import FinetuneConfig, ModelConfig, PretrainConfig
from svfap.config.stage_sections import FinetuneJob, PretrainJob
from svfap.models import Autoencoder, VideoModel
from svfap.training.checkpoint import Checkpoint, Origin

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
    crop=None,
    fps=None,
    origin=None,
    final=False,
) -> Path:
    """Write a fine-tuned model with random weights and a frame stride of 2."""
    torch.manual_seed(0)
    network = VideoModel(model, len(targets), activation=activation)
    torch.nn.init.normal_(network.head.weight, std=0.5)
    job = FinetuneJob(
        seed=0,
        task=task,
        targets=targets,
        stride=2,
        notice=NOTICE,
        model=model,
        finetune=FinetuneConfig(activation=activation, final=final),
    )
    facts = {"crop": crop or {"preset": "auto"}, "origin": origin and Origin(**origin)}
    Checkpoint(network.state_dict(), job, clips=9, fps=fps, **facts).write(path)
    return path


def write_pretrained(path: Path, model: ModelConfig, *, seed: int = 0) -> Path:
    """Write a masked autoencoder with random weights."""
    torch.manual_seed(seed)
    job = PretrainJob(seed=0, model=model, pretrain=PretrainConfig(datasets=("a",), stride=2))
    Checkpoint(Autoencoder(model).state_dict(), job, crop={"preset": "auto"}).write(path)
    return path
