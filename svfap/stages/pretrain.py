"""Stage `pretrain`: masked autoencoding of unlabelled face clips (paper section 3.2)."""

from functools import partial
from pathlib import Path

import numpy as np

from svfap.augment.crop_box import multi_scale_crop
from svfap.config import TrainingMachine
from svfap.config.machine import DEFAULT_MACHINE
from svfap.config.stage_sections import PretrainJob
from svfap.models import Autoencoder
from svfap.shards.store import ClipStore
from svfap.tracking.stage_run import Log
from svfap.training import fraction, reconstruction
from svfap.training.draws import Draws
from svfap.training.objectives import Reconstruction
from svfap.training.optim import parameter_groups
from svfap.training.step import seed_everything
from svfap.training.training_run import TrainingRun
from svfap.video.encode import write_video
from svfap.video.resize import resize
from svfap.video.sampling import pretrain_indices

PICTURE_CLIPS = 4
VIDEO_FPS = 6  # about real time: clips hold every 4th of 25 frames per second (paper section 4.1)


def run(
    config: PretrainJob,
    *,
    machine: TrainingMachine = DEFAULT_MACHINE,
    shards: list[Path],
    output: Path,
    log: Log,
) -> None:
    """Train a masked autoencoder.

    Args:
        config: model, recipe and seed.
        machine: loader processes, memory and saves; the result does not depend on it.
        shards: `index.parquet` of every part.
        output: the checkpoint; `curve.csv` and `reconstruction.{png,mp4}` are written beside it.
        log: function that receives metrics.

    Raises:
        SvfapError: a shard is damaged, or the loss is no longer finite.
    """
    settings, optim = config.pretrain, config.pretrain.optim
    store = fraction.of(ClipStore(shards), settings.fraction, seed=config.seed)
    # No target is used, and datasets may differ in their number of targets.
    store = store.with_targets(np.empty((len(store), 0), np.float32))
    seed_everything(config.seed)
    model = Autoencoder(config.model, fusion=settings.fusion)
    size, frames = config.model.image_size, config.model.num_frames
    draws = Draws(
        store,
        lambda length, rng: pretrain_indices(length, frames, settings.stride, rng),
        partial(multi_scale_crop, min_side=settings.min_crop),
        size=size,
        seed=config.seed,
        repeats=optim.repeats,
    )
    TrainingRun(config, optim, shards, output, "pretrain", machine=machine).train(
        Reconstruction(model, settings.mask_ratio, settings.target_fraction),
        draws,
        parameter_groups(model, weight_decay=optim.weight_decay),
        log=log,
        picture=lambda: _picture(output.with_name("reconstruction.png"), model, store, config),
    )


def _picture(path: Path, model: Autoencoder, store: ClipStore, config: PretrainJob) -> None:
    """Draw reconstructions of a few clips, spread over all parts, as a picture and as a video."""
    # It imports Matplotlib, which only the first process needs, when the training is over.
    from svfap.plots.clip_figures import draw_filmstrips

    clips = np.linspace(0, len(store) - 1, PICTURE_CLIPS).round().astype(int).tolist()
    rng = np.random.default_rng(0)
    frames = [
        store.frames(
            clip,
            pretrain_indices(
                store.length(clip), config.model.num_frames, config.pretrain.stride, rng
            ),
        )
        for clip in clips
    ]
    seed_everything(config.seed)  # the masks are drawn from torch's global generator
    sized = np.stack([resize(clip, config.model.image_size) for clip in frames])
    ratio = config.pretrain.mask_ratio
    rows = reconstruction.reconstruct_clips(model, sized, mask_ratio=ratio)
    write_video(path.with_suffix(".mp4"), reconstruction.montage(rows), fps=VIDEO_FPS)
    title = f"Pre-training: {ratio:.0%} of the patches are hidden"
    draw_filmstrips(reconstruction.strips(rows), title=title, path=path, notice=config.notice)
