"""Stage `finetune`: train encoder and head on the labelled clips of a fold (paper section 4.1)."""

from functools import partial
from pathlib import Path

import torch

from svfap.augment.crop_box import random_resized_crop
from svfap.augment.rand_augment import rand_augment_policy
from svfap.config import TrainingMachine
from svfap.config.machine import DEFAULT_MACHINE
from svfap.config.made_by import file_hash, recipe
from svfap.config.stage_sections import FinetuneJob, PretrainJob
from svfap.errors import SvfapError
from svfap.evaluation.scoring import validation_metrics
from svfap.models import VideoModel
from svfap.shards.store import ClipStore
from svfap.tracking.stage_run import Log
from svfap.training import balance, fraction
from svfap.training.checkpoint import Checkpoint, Origin, load_weights
from svfap.training.draws import Draws
from svfap.training.objectives import Classification, Objective, Regression
from svfap.training.optim import parameter_groups
from svfap.training.step import seed_everything
from svfap.training.target_scale import TargetScale
from svfap.training.training_run import TrainingRun
from svfap.video.sampling import finetune_indices
from svfap.weights import converted
from svfap.weights.cache import prepare


def run(
    config: FinetuneJob,
    *,
    machine: TrainingMachine = DEFAULT_MACHINE,
    pretrained: list[Path],
    shards: list[Path],
    validation: list[Path],
    output: Path,
    log: Log,
) -> None:
    """Fine-tune on the training parts of a fold.

    Args:
        config: model, recipe, seed, and the dataset's task and targets.
        machine: loader processes, memory and saves; the result does not depend on it.
        pretrained: checkpoint of the stage `pretrain`; an empty list to train from scratch.
        shards: `index.parquet` of every training part.
        validation: `index.parquet` of parts that are held back from training. They are scored after
            every epoch, to choose settings by; the result is always the last epoch's model.
        output: the checkpoint; `curve.csv` is written beside it.
        log: function that receives metrics.

    Raises:
        SvfapError: a shard is damaged, the checkpoint does not fit, or training diverged.
    """
    store = ClipStore(shards)
    _check_targets(store, config)
    seed_everything(config.seed)
    settings, optim = config.finetune, config.finetune.optim
    classes = store.targets[:, 0] if config.task == "classification" else None
    store = fraction.of(store, settings.fraction, seed=config.seed, classes=classes)
    scale = TargetScale.of(config, store.targets)
    store = store.with_targets(scale.standardise(store.targets))
    model = _untrained(config)
    origin = _load_encoder(model, pretrained, config) if settings.init == "pretrained" else Origin()
    label = f"finetune {'/'.join(output.parent.parts[-2:])}"
    validate = partial(validation_metrics, model, job=config, scale=scale)
    inputs = [*pretrained, *shards, *validation]
    TrainingRun(config, optim, inputs, output, label, origin, machine, scale).train(
        _objective(model, config, store),
        _draws(store, config),
        parameter_groups(model, weight_decay=optim.weight_decay, layer_decay=settings.layer_decay),
        log=log,
        validate=partial(validate, ClipStore(validation)) if validation else None,
    )


def _check_targets(store: ClipStore, config: FinetuneJob) -> None:
    """Refuse clips whose targets do not fit the head."""
    outputs = len(config.targets)
    if config.task == "classification":
        noun, found = "classes", int(store.targets.max()) + 1
        # A fold may lack the last classes, so fewer classes than outputs are fine.
        fits = found <= outputs and store.targets.shape[1] == 1
    else:
        noun, found = "targets", store.targets.shape[1]
        fits = found == outputs
    if not fits:
        raise SvfapError(
            f"the clips have {found} {noun}, the head {outputs} ({', '.join(config.targets)});"
            " rebuild the shards (stage shard)"
        )


def _untrained(config: FinetuneJob) -> VideoModel:
    """Make the model with random weights."""
    settings = config.finetune
    return VideoModel(
        config.model,
        len(config.targets),
        settings.drop_path,
        activation=settings.activation,
        fusion=settings.fusion,
    )


def _load_encoder(model: VideoModel, pretrained: list[Path], config: FinetuneJob) -> Origin:
    """Load the encoder to start from and return the facts of its pre-training."""
    if config.public:
        pretrained = [prepare(config.public)]
    if len(pretrained) != 1:
        raise SvfapError(
            "finetune.init is 'pretrained', which needs one checkpoint as --pretrained;"
            " give it or set finetune.init to 'scratch'"
        )
    path = pretrained[0]
    if path.suffix == converted.SUFFIX:
        public = converted.read(path)
        public.check_sizes(config.model)
        load_weights(model.encoder, public.encoder, where=path)
        return Origin(notice=public.notice, checkpoint=file_hash(path))
    found = Checkpoint.read(path)
    prefix = "encoder."
    encoder = {k.removeprefix(prefix): v for k, v in found.model.items() if k.startswith(prefix)}
    load_weights(model.encoder, encoder, where=path)
    return Origin(
        datasets=found.job.pretrain.datasets if isinstance(found.job, PretrainJob) else (),
        notice=found.job.notice if found.job else "",
        clips=found.clips or 0,
        checkpoint=file_hash(path),
        recipe=recipe(found.job) if found.job else "",
    )


def _objective(model: VideoModel, config: FinetuneJob, store: ClipStore) -> Objective:
    """Choose the loss of the task; `balance: loss` weights it by the number of clips per class."""
    if config.task != "classification":
        return Regression(model)
    if config.finetune.balance != "loss":
        return Classification(model, config.finetune)
    weights = balance.class_weights(store.targets[:, 0], len(config.targets))
    return Classification(model, config.finetune, torch.from_numpy(weights))


def _draws(store: ClipStore, config: FinetuneJob) -> Draws:
    """Draw random spans of frames and random crops of the training clips."""
    settings, frames = config.finetune, config.model.num_frames
    stride = settings.stride or config.stride
    kind = balance.BalancedDraws if settings.balance == "sampler" else Draws
    return kind(
        store,
        lambda length, rng: finetune_indices(length, frames, stride, rng),
        partial(random_resized_crop, min_area=settings.min_crop, flip=settings.flip),
        size=config.model.image_size,
        seed=config.seed,
        repeats=settings.optim.repeats,
        draw_edits=rand_augment_policy(settings.rand_augment) if settings.rand_augment else None,
    )
