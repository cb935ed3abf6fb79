"""Stage `finetune`: train encoder and head on the labelled clips of a fold (paper section 4.1)."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from svfap.augment.crop_box import random_resized_crop
from svfap.augment.rand_augment import rand_augment_policy
from svfap.config import FinetuneConfig, TrainingMachine
from svfap.config.machine import DEFAULT_MACHINE
from svfap.config.made_by import file_hash, recipe
from svfap.config.stage_sections import FinetuneJob, PretrainJob
from svfap.errors import SvfapError
from svfap.evaluation.scoring import validation_metrics
from svfap.models import VideoModel
from svfap.probing import probe
from svfap.probing.features import Features, features_of
from svfap.shards.store import ClipStore
from svfap.tracking.stage_run import Log
from svfap.training import balance, fraction, tuning
from svfap.training.checkpoint import Checkpoint, Origin, load_weights
from svfap.training.curve import CurvePoint
from svfap.training.draws import Draws
from svfap.training.objectives import Classification, Objective, Regression
from svfap.training.optim import parameter_groups
from svfap.training.step import Weights, seed_everything
from svfap.training.target_scale import TargetScale
from svfap.training.training_run import TrainingRun
from svfap.video.sampling import finetune_indices
from svfap.weights import converted
from svfap.weights.cache import prepare
from svfap.weights.place import SUFFIX


class Teaching(NamedTuple):
    """What a training learns from.

    Attributes:
        objective: the trained module and its loss.
        draws: the stream of clips or of their features.
        validate: function that computes metrics on the held-back parts; None if there are none.
    """

    objective: Objective
    draws: Draws
    validate: Callable[[], CurvePoint] | None


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
    store, scale = _training_clips(shards, config)
    seed_everything(config.seed)
    settings = config.finetune
    model = _untrained(config)
    origin = _load_encoder(model, pretrained, config) if settings.init == "pretrained" else Origin()
    tuning.prepare(model, settings)
    if settings.tune == "probe":
        machine = machine.model_copy(update={"workers": 0})  # features are in memory
        load = partial(features_of, model, job=config, encoder=origin.checkpoint)
        taught = _by_features(model, config, store, scale, load=load, parts=(shards, validation))
    else:
        taught = _by_clips(model, config, store, scale, validation)
    label = f"finetune {'/'.join(output.parent.parts[-2:])}"
    inputs = [*pretrained, *shards, *validation]
    finished = partial(_finished, model, settings)
    TrainingRun(
        config, settings.rates, inputs, output, label, origin, machine, scale, finished
    ).train(
        taught.objective,
        taught.draws,
        _groups(model, settings),
        log=log,
        validate=taught.validate,
    )


def _training_clips(shards: list[Path], config: FinetuneJob) -> tuple[ClipStore, TargetScale]:
    """Return the clips to train on, with targets in the scale of training, and that scale."""
    store = ClipStore(shards)
    _check_targets(store, config)
    classes = store.targets[:, 0] if config.task == "classification" else None
    store = fraction.of(store, config.finetune.fraction, seed=config.seed, classes=classes)
    scale = TargetScale.of(config, store.targets)
    return store.with_targets(scale.standardise(store.targets)), scale


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
        settings.dropped,
        activation=settings.activation,
        fusion=settings.fusion,
        pool=settings.pool,
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
    if path.suffix == SUFFIX:
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


def _by_clips(
    model: VideoModel,
    config: FinetuneJob,
    store: ClipStore,
    scale: TargetScale,
    validation: list[Path],
) -> Teaching:
    """Teach the model by clips, which it encodes again whenever it sees them."""
    validate = None
    if validation:
        validate = partial(validation_metrics, model, ClipStore(validation), config, scale)
    return Teaching(_objective(model, config, store), _draws(store, config), validate)


def _by_features(
    model: VideoModel,
    config: FinetuneJob,
    store: ClipStore,
    scale: TargetScale,
    *,
    load: Callable[..., Features],
    parts: tuple[list[Path], list[Path]],
) -> Teaching:
    """Teach the head by features of the parts to train on and to hold back, computed once."""
    head, (shards, validation) = probe.Probe(model), parts
    flips = (False, True) if config.finetune.probe.flip else (False,)
    kinds = [load(shards, mirrored=flip) for flip in flips]
    objective = probe.ProbeObjective(head, config, _class_weights(config, store))
    validate = None
    if validation:
        held_back, features = ClipStore(validation), load(validation)
        validate = partial(
            probe.validation_metrics, head, held_back, config, scale, features=features
        )
    return Teaching(objective, probe.FeatureDraws(_draws(store, config), kinds), validate)


def _finished(model: VideoModel, settings: FinetuneConfig, weights: Weights) -> Weights:
    """Return the weights of the plain model that a training has made."""
    if settings.tune == "lora":
        return tuning.plain(weights, settings.lora)
    # A probe has trained the head alone.
    return {key: value.cpu() for key, value in model.state_dict().items()} | weights


def _groups(model: VideoModel, settings: FinetuneConfig) -> list[dict[str, Any]]:
    """Group the trained parameters; only full fine-tuning slows down the first layers."""
    decay = settings.layer_decay if settings.tune == "full" else 1.0
    return parameter_groups(model, weight_decay=settings.rates.weight_decay, layer_decay=decay)


def _objective(model: VideoModel, config: FinetuneJob, store: ClipStore) -> Objective:
    """Choose the loss of the task."""
    if config.task != "classification":
        return Regression(model)
    return Classification(model, config.finetune, _class_weights(config, store))


def _class_weights(config: FinetuneJob, store: ClipStore) -> Tensor | None:
    """Return weights of the loss by the number of clips per class, for `balance: loss`."""
    if config.finetune.balance != "loss":
        return None
    return torch.from_numpy(balance.class_weights(store.targets[:, 0], len(config.targets)))


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
