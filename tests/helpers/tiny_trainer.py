"""Helpers for tests that train: fine-tuning without augmentation, 32 x 32 crops, a short run."""

import torch

from svfap.augment.crop_box import CropBox
from svfap.config import OptimConfig, TrainingMachine
from svfap.training.batch import Batch
from svfap.training.distributed import Ranks
from svfap.training.draws import Draws
from svfap.training.loader import Loader
from svfap.training.loop import Trainer
from svfap.training.optim import parameter_groups
from svfap.training.state import State
from svfap.training.step import Stepper
from svfap.video.sampling import finetune_indices

PLAIN = {"mixup": 0, "cutmix": 0, "rand_augment": "", "erasing": 0, "label_smoothing": 0}
ALONE = Ranks(device=torch.device("cpu"))


def no_log(metrics, step=0):
    pass


def draws(store):
    return Draws(
        store,
        lambda length, rng: finetune_indices(length, 8, 1, rng),
        lambda height, width, rng: CropBox(0, 0, height, width),
        size=32,
        seed=0,
    )


def make_stepper(objective, config=None, *, compiled=False):
    config = config or OptimConfig()
    groups = parameter_groups(objective.model, weight_decay=0)
    return Stepper(objective, groups, config, ranks=ALONE, seed=0, compiled=compiled)


def trainer(folder, objective, store, *, identity="x", save_minutes=10, **optim):
    settings = {"warmup_epochs": 2, "batch_size": 4, "lr": 5, "betas": (0.9, 0.999)} | optim
    machine = TrainingMachine(save_minutes=save_minutes)
    config = OptimConfig(**settings)
    loader = Loader(draws(store), config, ALONE)
    state = State(folder / "state", identity)
    return Trainer(make_stepper(objective, config), loader, config, state, ALONE, "test", machine)


def random_batch(size=4, *, first=0, share=1.0, seed=0):
    generator = torch.Generator().manual_seed(seed + first)
    video = torch.randint(0, 256, (size, 8, 32, 32, 3), dtype=torch.uint8, generator=generator)
    return Batch(video, torch.arange(size)[:, None] % 2 * 1.0, first, share)


def same_weights(one, other):
    return all(torch.equal(one[key], other[key]) for key in one) and one.keys() == other.keys()
