"""A model's scores of whole videos: a few test clips (views) of each (paper section 4.1)."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from svfap.config.stage_sections import EvaluateJob, FinetuneJob
from svfap.evaluation import predictions
from svfap.evaluation.metrics import METRICS
from svfap.evaluation.predictions import Predictions
from svfap.models import VideoModel
from svfap.progress import track
from svfap.shards.store import ClipStore
from svfap.training.objectives import Classification, Regression, normalise, unit_range
from svfap.video.resize import resize
from svfap.video.sampling import Indices, view_indices


class View(NamedTuple):
    """One test clip of a video."""

    clip: int
    number: int
    indices: Indices


def predict(
    model: VideoModel,
    store: ClipStore,
    job: FinetuneJob,
    config: EvaluateJob,
    *,
    dataset: str = "",
    fold: str = "",
    shown: bool = True,
) -> Predictions:
    """Score every view of every video; the model is left in evaluation mode.

    Args:
        model: a fine-tuned model.
        store: the videos.
        job: how the model was made.
        config: how many views of each video are scored, and how many at a time.
        dataset: name of the dataset, for the predictions.
        fold: name of the fold, for the predictions.
        shown: whether progress is.
    """
    model.eval()
    frames, stride = job.model.num_frames, job.finetune.stride or job.stride
    views = [
        View(clip, number, indices)
        for clip in range(len(store))
        for number, indices in enumerate(
            view_indices(store.length(clip), frames, stride, config.views)
        )
    ]
    clips = [view.clip for view in views]
    starts = range(0, len(views), config.batch_size)
    batches: Iterable[list[View]] = [views[s : s + config.batch_size] for s in starts]
    if shown:
        batches = track(batches, total=len(starts), label="evaluate", unit="batch")
    return Predictions(
        dataset=dataset,
        fold=fold,
        keys=[store.keys[clip] for clip in clips],
        groups=[store.groups[clip] for clip in clips],
        subjects=[store.subjects[clip] for clip in clips],
        views=np.array([view.number for view in views]),
        targets=store.targets[clips],
        scores=np.concatenate(
            [
                score(model, [store.frames(v.clip, v.indices) for v in batch], job)
                for batch in batches
            ]
        ),
    )


def figures(model: VideoModel, store: ClipStore, job: FinetuneJob) -> dict[str, float]:
    """All metrics of the job's task, averaged over its targets, by name."""
    config = EvaluateJob(views=job.finetune.views)
    frame = predictions.to_table(predict(model, store, job, config, shown=False)).to_pandas()
    units = predictions.by_group(predictions.by_clip(frame))
    targets, scores = (np.stack(units[column].to_list()) for column in ("target", "score"))
    return {
        name: float(np.mean(metric.compute(targets, scores)))
        for name, metric in METRICS.items()
        if metric.task == job.task
    }


@torch.inference_mode()
def score(
    model: VideoModel, clips: Sequence[NDArray[np.uint8]], job: FinetuneJob
) -> NDArray[np.float32]:
    """Scores of a batch of clips, each RGB (T, H, W, 3); probabilities in classification."""
    scores = Classification.scores if job.task == "classification" else Regression.scores
    frames = [resize(clip, job.model.image_size) for clip in clips]
    video = torch.from_numpy(np.stack(frames)).to(model.fc_norm.weight.device)
    batch: NDArray[np.float32] = scores(model(normalise(unit_range(video)))).cpu().numpy()
    return batch
