"""Our side of the model benchmarks: one step of training, and its work, on clips of noise."""

from collections.abc import Callable
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from svfap.config import FinetuneConfig, ModelConfig, OptimConfig
from svfap.models import Autoencoder, VideoModel
from svfap.models.cost import finetune_cost, pretrain_cost, skipped_multiply_adds
from svfap.training.batch import Batch
from svfap.training.distributed import Ranks, device
from svfap.training.objectives import Classification, Objective, Reconstruction
from svfap.training.optim import parameter_groups
from svfap.training.step import HostCopy, Stepper

Task = Literal["pretrain", "finetune", "inference"]
# Takes a step; its loss and the norm of its gradient are on their way to the host.
Step = Callable[[], HostCopy | None]

MASK_RATIO, CLASSES = 0.9, 7
UNMIXED = FinetuneConfig(mixup=0.0, cutmix=0.0, erasing=0.0, label_smoothing=0.0)


def noise(config: ModelConfig, clips: int) -> Tensor:
    """Return clips of noise on this process's device, (B, T, H, W, 3) uint8."""
    shape = (clips, config.num_frames, config.image_size, config.image_size, 3)
    return torch.randint(0, 256, shape, dtype=torch.uint8, device=device())


def make_stepper(objective: Objective, config: OptimConfig, *, compiled: bool) -> Stepper:
    """Return what a training step changes, as the training stages make it."""
    groups = parameter_groups(objective.model, weight_decay=config.weight_decay)
    return Stepper(objective, groups, config, ranks=Ranks(), seed=0, compiled=compiled)


def pretrain_step(
    config: ModelConfig, frames: Tensor, *, compiled: bool, share: float = 1.0
) -> Step:
    """Return a function that takes a pre-training step; it scores a share of the hidden tokens."""
    objective = Reconstruction(Autoencoder(config), MASK_RATIO, share)
    return _step(objective, frames, compiled=compiled)


def finetune_step(config: ModelConfig, frames: Tensor, *, compiled: bool) -> Step:
    """Return a function that takes a fine-tuning step without augmentation."""
    return _step(Classification(VideoModel(config, CLASSES), UNMIXED), frames, compiled=compiled)


def operations(config: ModelConfig, task: Task, share: float = 1.0) -> int:
    """Return the operations of one clip: a multiply-add is two."""
    if task == "pretrain":
        paper = pretrain_cost(config, MASK_RATIO, share).multiply_adds
        work = paper - skipped_multiply_adds(config, MASK_RATIO, share)
    else:
        work = finetune_cost(config, CLASSES).multiply_adds
    # The backward pass costs twice the forward pass.
    return (2 if task == "inference" else 6) * work


def _step(objective: Objective, frames: Tensor, *, compiled: bool) -> Step:
    """Return a function that takes a step without waiting for its result, as training does."""
    stepper = make_stepper(objective, OptimConfig(), compiled=compiled)
    batch = Batch(frames, torch.zeros(len(frames), 1, device=frames.device))
    return partial(take_step, stepper, batch)


def take_step(stepper: Stepper, batch: Batch) -> HostCopy | None:
    """Take a step without waiting for its result; return the copy of its figures to the host."""
    stepper.accumulate([batch])
    stepper.update(1e-5)
    return stepper.pending_copy
