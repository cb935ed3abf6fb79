"""Inference: scores and embeddings of clips, and of several views of each video (section 4.1)."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from svfap.config.machine import DEFAULT_SCORING, ScoringMachine
from svfap.config.stage_sections import EvaluateJob, FinetuneJob
from svfap.evaluation import predictions
from svfap.evaluation.metrics import METRICS
from svfap.evaluation.predictions import Predictions
from svfap.models import VideoModel
from svfap.progress import track
from svfap.shards.store import ClipStore
from svfap.training.objectives import Classification, Regression, normalise, unit_range
from svfap.training.target_scale import RAW, TargetScale
from svfap.video.resize import resize
from svfap.video.sampling import Indices, evaluation_indices


class ScoredClips(NamedTuple):
    """Outputs for n clips.

    Attributes:
        scores: class probabilities (n, c), or regressed values (n, d).
        embeddings: features that the head receives, (n, C).
    """

    scores: NDArray[np.float32]
    embeddings: NDArray[np.float32]


class Scorer(nn.Module):
    """A fine-tuned model as one function of frames, with normalisation and softmax inside.

    All predictions come from this class: validation, the stage `evaluate`, logged MLflow models,
    `svfap.load`, and exported files.

    Args:
        model: a fine-tuned model; without a head, its scores are its embeddings.
        job: the settings that it was made with.
    """

    def __init__(self, model: VideoModel, job: FinetuneJob) -> None:
        super().__init__()
        self.model = model
        self.image_size = job.model.image_size
        # A model that was only pre-trained has no targets; a softmax of embeddings has no meaning.
        has_classes = job.task == "classification" and bool(job.targets)
        self.scores_of = Classification.scores if has_classes else Regression.scores

    def forward(self, video: Tensor) -> tuple[Tensor, Tensor]:
        """Score clips.

        Args:
            video: (B, T, H, W, 3) uint8, RGB, of the model's size.

        Returns:
            Class probabilities or regressed values (B, n), and embeddings (B, C).
        """
        embeddings = self.model.embed(normalise(unit_range(video)))
        return self.scores_of(self.model.outputs(embeddings)), embeddings

    def to_video(self, clips: Sequence[NDArray[np.uint8]]) -> Tensor:
        """Scale clips (T, H, W, 3) of any size and stack them on the model's device."""
        frames = [resize(clip, self.image_size) for clip in clips]
        return torch.from_numpy(np.stack(frames)).to(self.model.fc_norm.weight.device)

    @torch.inference_mode()
    def score(self, clips: Sequence[NDArray[np.uint8]]) -> ScoredClips:
        """Score clips (T, H, W, 3), RGB, of any size as one batch."""
        video = self.to_video(clips)
        # A caller's autocast would change the scores.
        with torch.autocast(video.device.type, enabled=False):
            scores, embeddings = self(video)
        return ScoredClips(scores.cpu().numpy(), embeddings.cpu().numpy())


class View(NamedTuple):
    """One of the evenly spaced test clips of a video.

    Attributes:
        clip: number of the video in its store.
        number: number of the view within the video.
        indices: frames of the video that the view shows.
    """

    clip: int
    number: int
    indices: Indices


def predict(
    model: VideoModel,
    store: ClipStore,
    job: FinetuneJob,
    config: EvaluateJob,
    *,
    machine: ScoringMachine = DEFAULT_SCORING,
    shown: bool = True,
) -> Predictions:
    """Score every view of every video, and leave the model in evaluation mode.

    Args:
        model: a fine-tuned model.
        store: the videos.
        job: the settings that the model was made with.
        config: number of views per video, and names for the predictions.
        machine: number of views per forward pass.
        shown: whether to show a progress bar.
    """
    scorer = Scorer(model, job).eval()
    views = list_views(store, job, config.views)
    starts = range(0, len(views), machine.batch_size)
    batches: Iterable[list[View]] = [views[s : s + machine.batch_size] for s in starts]
    if shown:
        batches = track(batches, total=len(starts), label="evaluate", unit="batch")
    scores = [scorer.score([store.frames(v.clip, v.indices) for v in b]).scores for b in batches]
    return as_predictions(np.concatenate(scores), views, store, config)


def as_predictions(
    scores: NDArray[np.float32], views: Sequence[View], store: ClipStore, config: EvaluateJob
) -> Predictions:
    """Return the scores (n, c) of n views of a store's clips as predictions."""
    clips = [view.clip for view in views]
    return Predictions(
        dataset=config.dataset,
        fold=config.fold,
        keys=[store.keys[clip] for clip in clips],
        groups=[store.groups[clip] for clip in clips],
        subjects=[store.subjects[clip] for clip in clips],
        views=np.array([view.number for view in views]),
        targets=store.targets[clips],
        scores=scores,
    )


def list_views(store: ClipStore, job: FinetuneJob, views: int) -> list[View]:
    """List the views of all videos; a short video has fewer than `views`."""
    frames, stride = job.model.num_frames, job.finetune.stride or job.stride
    return [
        View(clip, number, indices)
        for clip in range(len(store))
        for number, indices in enumerate(
            evaluation_indices(store.length(clip), frames, stride, views)
        )
    ]


def validation_metrics(
    model: VideoModel, store: ClipStore, job: FinetuneJob, scale: TargetScale = RAW
) -> dict[str, float]:
    """Compute all metrics of the job's task on held-back clips, averaged over its targets.

    The model is left in evaluation mode.

    Args:
        model: a model in training.
        store: the held-back clips.
        job: the settings of the training.
        scale: the scale in which the model has learnt the targets.

    Returns:
        Name of the metric -> value, a fraction.
    """
    config = EvaluateJob(views=job.finetune.views)
    return metrics_of(predict(model, store, job, config, shown=False), job, scale)


def metrics_of(
    found: Predictions, job: FinetuneJob, scale: TargetScale = RAW, *, each: bool = False
) -> dict[str, float]:
    """Compute all metrics of the job's task from predictions in the scale of its training.

    Args:
        found: the predictions.
        job: the settings that the model was made with.
        scale: the scale in which the model has learnt the targets.
        each: whether to return, besides the mean over several targets, the value of each.
    """
    frame = predictions.to_table(found).to_pandas()
    units = predictions.by_group(predictions.by_clip(frame))
    targets, scores = (np.stack(units[column].to_list()) for column in ("target", "score"))
    scores = scale.restore(scores)
    figures: dict[str, float] = {}
    for name, metric in METRICS.items():
        if metric.task == job.task:
            values = metric.compute(targets, scores)
            figures[name] = float(np.mean(values))
            if each and len(values) == len(job.targets) > 1:
                pairs = zip(job.targets, values.tolist(), strict=True)
                figures |= {f"{name} {target}": value for target, value in pairs}
    return figures
