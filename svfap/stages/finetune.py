"""Stage `finetune`: train encoder and head on the labelled clips of one fold (section 4.1)."""

from functools import partial
from pathlib import Path
from typing import Any

import torch

from svfap.augment.crop_box import random_resized_crop
from svfap.augment.rand_augment import rand_augment_policy
from svfap.config.stage_sections import FinetuneJob
from svfap.errors import SvfapError
from svfap.evaluation import scoring
from svfap.models import VideoModel
from svfap.shards.store import ClipStore
from svfap.tracking.stage_run import Log
from svfap.training import balance, checkpoint, fraction, training_run
from svfap.training.draws import Draws
from svfap.training.objectives import Classification, Objective, Regression
from svfap.training.optim import parameter_groups
from svfap.training.step import seed_everything
from svfap.video.sampling import train_indices


def run(
    config: FinetuneJob,
    *,
    pretrained: list[Path],
    shards: list[Path],
    validation: list[Path],
    output: Path,
    log: Log,
) -> None:
    """Fine-tune on the training parts of a fold.

    Args:
        config: model, recipe, seed and the facts of the dataset.
        pretrained: checkpoint of the stage `pretrain`; none to train from scratch.
        shards: `index.parquet` of every training part.
        validation: those of the parts that are held back from training, scored after every
            epoch, for choosing settings; the result is always the last epoch's model.
        output: the checkpoint; `curve.csv` is written beside it.
        log: takes metrics.

    Raises:
        SvfapError: a shard is damaged, the checkpoint does not fit, or training diverged.
    """
    store = ClipStore(shards)
    _check_targets(store, config)
    seed_everything(config.seed)
    settings, optim = config.finetune, config.finetune.optim
    classes = store.targets[:, 0] if config.task == "classification" else None
    store = fraction.of(store, settings.fraction, seed=config.seed, classes=classes)
    model = VideoModel(
        config.model, len(config.targets), settings.drop_path,
        activation=settings.activation, fusion=settings.fusion,
    )  # fmt: skip
    origin = _load_encoder(model, pretrained) if settings.init == "pretrained" else {}
    label = f"finetune {'/'.join(output.parent.parts[-2:])}"
    held_back = ClipStore(validation) if validation else None
    inputs = [*pretrained, *shards, *validation]
    training_run.TrainingRun(config, optim, inputs, output, label, origin).train(
        _objective(model, config, store),
        _draws(store, config),
        parameter_groups(model, weight_decay=optim.weight_decay, layer_decay=settings.layer_decay),
        log=log,
        validate=(lambda: scoring.figures(model, held_back, config)) if held_back else None,
    )


def _check_targets(store: ClipStore, config: FinetuneJob) -> None:
    """Whether the clips have the targets that the head is made for."""
    count = len(config.targets)
    if config.task == "classification":
        found = int(store.targets.max()) + 1
        fits = found <= count and store.targets.shape[1] == 1
    else:
        found = store.targets.shape[1]
        fits = found == count
    if not fits:
        raise SvfapError(
            f"the clips have {found} {'classes' if config.task == 'classification' else 'targets'},"
            f" the head {count} ({', '.join(config.targets)}); make the shards anew"
        )


def _load_encoder(model: VideoModel, pretrained: list[Path]) -> dict[str, Any]:
    """Take over the encoder of a pre-trained checkpoint, and tell what that was trained on."""
    if len(pretrained) != 1:
        raise SvfapError(
            "finetune.init is 'pretrained', which needs one checkpoint as --pretrained;"
            " give it or set finetune.init to 'scratch'"
        )
    content = checkpoint.load(pretrained[0])
    weights = content["model"]
    prefix = "encoder."
    encoder = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
    checkpoint.load_weights(model.encoder, encoder, where=pretrained[0])
    job = content.get("config", {})
    return {
        "datasets": list(job.get("pretrain", {}).get("datasets", ())),
        "notice": job.get("notice", ""),
        "clips": content.get("clips", 0),
    }


def _objective(model: VideoModel, config: FinetuneJob, store: ClipStore) -> Objective:
    """The loss of the task; with `balance: loss`, weighted by the classes of the clips."""
    if config.task != "classification":
        return Regression(model)
    if config.finetune.balance != "loss":
        return Classification(model, config.finetune)
    weights = balance.class_weights(store.targets[:, 0], len(config.targets))
    return Classification(model, config.finetune, torch.from_numpy(weights))


def _draws(store: ClipStore, config: FinetuneJob) -> Draws:
    """Random windows and augmentation of the training clips."""
    settings, frames = config.finetune, config.model.num_frames
    stride = settings.stride or config.stride
    kind = balance.BalancedDraws if settings.balance == "sampler" else Draws
    return kind(
        store,
        lambda length, rng: train_indices(length, frames, stride, rng),
        partial(random_resized_crop, min_area=settings.min_crop, flip=settings.flip),
        size=config.model.image_size,
        seed=config.seed,
        repeats=settings.optim.repeats,
        draw_edits=rand_augment_policy(settings.rand_augment) if settings.rand_augment else None,
    )
