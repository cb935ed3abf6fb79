"""Stage `pretrain`: masked autoencoding of unlabelled face clips (paper section 3.2)."""

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

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
from svfap.video.resize import resize
from svfap.video.sampling import pretrain_indices

PICTURE_CLIPS = 4
MEASURED_CLIPS = 64  # clips that the error is measured on, and clips that make the mean face
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
    store, shown = fraction.hold_out(store, settings.held_out)
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
        picture=lambda: _picture(
            output.with_name("reconstruction.png"), model, (store, shown), config, log
        ),
    )


def _picture(
    path: Path,
    model: Autoencoder,
    stores: tuple[ClipStore, ClipStore],
    config: PretrainJob,
    log: Log,
) -> None:
    """Measure reconstructions, and draw a few of them as a picture and as a video.

    The stores have the training clips and the clips to show: of people that were held out, or the
    training clips again if nobody was.
    """
    # It imports Matplotlib, which only the first process needs, when the training is over.
    from svfap.plots.clip_figures import draw_filmstrips
    from svfap.video.encode import write_video

    trained, shown = stores
    mean = reconstruction.mean_face(config.model, _spread_clips(trained, config))
    seed_everything(config.seed)  # the masks are drawn from torch's global generator
    ratio = config.pretrain.mask_ratio
    found = reconstruction.reconstruct_clips(
        model, _spread_clips(shown, config), mean, mask_ratio=ratio
    )
    log({"reconstruction R2": found.r2, "mean face R2": found.mean_face_r2})
    count = len(found.rows["input"])
    few = np.linspace(0, count - 1, min(PICTURE_CLIPS, count)).round().astype(int)
    rows = {label: videos[few] for label, videos in found.rows.items()}
    write_video(path.with_suffix(".mp4"), reconstruction.montage(rows), fps=VIDEO_FPS)
    people = "people left out of pre-training" if config.pretrain.held_out else "training clips"
    draw_filmstrips(
        reconstruction.strips(rows),
        title=f"Reconstruction of {ratio:.0%} hidden patches: {people}",
        path=path,
        notice=f"R² within hidden patches, {count} clips: model {found.r2:.2f}, mean face"
        f" {found.mean_face_r2:.2f}. {config.notice}".strip(),
    )


def _spread_clips(store: ClipStore, config: PretrainJob) -> NDArray[np.uint8]:
    """Read clips spread over a store, (B, T, size, size, 3) with B at most `MEASURED_CLIPS`."""
    rng = np.random.default_rng(0)
    sizes = config.model.num_frames, config.pretrain.stride
    count = min(len(store), MEASURED_CLIPS)
    clips = np.linspace(0, len(store) - 1, count).round().astype(int).tolist()
    frames = [
        store.frames(clip, pretrain_indices(store.length(clip), *sizes, rng)) for clip in clips
    ]
    return np.stack([resize(clip, config.model.image_size) for clip in frames])
