"""Stage `evaluate`: predictions of a fine-tuned model for every test clip and view of a fold."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from svfap import predictions
from svfap.config import EvaluateJob, FinetuneJob
from svfap.configfile import parse
from svfap.models import VideoModel
from svfap.progress import track
from svfap.shards import ClipStore
from svfap.tracking import Log
from svfap.training import checkpoint
from svfap.training.distributed import device
from svfap.training.objectives import Classification, Regression, normalise, unit_range
from svfap.video.sampling import Indices, view_indices
from svfap.video.transforms import resize


class View(NamedTuple):
    """One test clip of a video."""

    clip: int
    number: int
    indices: Indices


def run(
    config: EvaluateJob,
    *,
    dataset: str,
    fold: str,
    model: Path,
    shards: list[Path],
    output: Path,
    log: Log,
) -> None:
    """Score the test parts of a fold.

    Args:
        config: how many views of each video are scored.
        dataset: name of the dataset.
        fold: name of the fold.
        model: checkpoint of the stage `finetune`.
        shards: `index.parquet` of every test part.
        output: the predictions, Parquet, a row per clip and view.
        log: takes metrics.

    Raises:
        SvfapError: a shard or the checkpoint is damaged.
    """
    store = ClipStore(shards)
    network, job = load_model(model)
    stride = job.finetune.stride or job.stride
    views = [
        View(clip, number, indices)
        for clip in range(len(store))
        for number, indices in enumerate(
            view_indices(store.length(clip), job.model.num_frames, stride, config.views)
        )
    ]
    scores = np.concatenate(list(_score(network, store, views, config, job)))
    clips = [view.clip for view in views]
    table = predictions.Predictions(
        dataset=dataset,
        fold=fold,
        keys=[store.keys[clip] for clip in clips],
        groups=[store.groups[clip] for clip in clips],
        subjects=[store.subjects[clip] for clip in clips],
        views=np.array([view.number for view in views]),
        targets=store.targets[clips],
        scores=scores,
    )
    predictions.write(output, table)
    log({"clips": len(store), "views": len(views)})


def load_model(path: Path) -> tuple[VideoModel, FinetuneJob]:
    """A fine-tuned model, ready to predict, and the job that made it.

    Raises:
        SvfapError: the checkpoint is damaged or not of a fine-tuned model.
    """
    content = checkpoint.load(path)
    job = parse(FinetuneJob, content.get("config"), where=str(path))
    model = VideoModel(job.model, len(job.targets), activation=job.finetune.activation)
    checkpoint.load_weights(model, content["model"], where=path)
    return model.to(device()).eval(), job


@torch.inference_mode()
def _score(
    model: VideoModel, store: ClipStore, views: list[View], config: EvaluateJob, job: FinetuneJob
) -> Iterator[NDArray[np.float32]]:
    """Scores of the views, batch by batch."""
    scores = Classification.scores if job.task == "classification" else Regression.scores
    starts = range(0, len(views), config.batch_size)
    for start in track(starts, total=len(starts), label="evaluate", unit="batch"):
        batch = views[start : start + config.batch_size]
        frames = [resize(store.frames(v.clip, v.indices), job.model.image_size) for v in batch]
        video = normalise(unit_range(torch.from_numpy(np.stack(frames)).to(device())))
        yield scores(model(video)).cpu().numpy()
