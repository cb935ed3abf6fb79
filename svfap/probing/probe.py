"""A head that learns from kept features: its module, its loss and its stream of features."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from svfap.config.stage_sections import EvaluateJob, FinetuneJob
from svfap.evaluation.predictions import Predictions
from svfap.evaluation.scoring import ScoredClips, as_predictions, list_views, metrics_of
from svfap.models import VideoModel
from svfap.probing.features import Features
from svfap.shards.store import ClipStore
from svfap.training.batch import Batch
from svfap.training.draws import AUGMENTATION, Draws
from svfap.training.objectives import Classification, Forward, Regression, soft_labels
from svfap.training.target_scale import TargetScale

SCORED_AT_ONCE = 64  # views of a forward pass of the head


class Probe(nn.Module):
    """The pool, norm and head of a model, under the model's names; it shares their weights."""

    def __init__(self, model: VideoModel) -> None:
        super().__init__()
        self.pool, self.fc_norm = model.pool, model.fc_norm
        self.head, self.activation = model.head, model.activation

    def forward(self, features: Tensor) -> Tensor:
        """Turn means of tokens (B, C), or tokens (B, N, C), into outputs (B, n)."""
        return self.outputs(self.embed(features))

    def embed(self, features: Tensor) -> Tensor:
        """Turn means of tokens (B, C), or tokens (B, N, C), into embeddings (B, C)."""
        pooled = features if self.pool is None else self.pool(features)
        out: Tensor = self.fc_norm(pooled)
        return out

    def outputs(self, embeddings: Tensor) -> Tensor:
        """Turn embeddings (B, C) into outputs (B, n)."""
        out: Tensor = self.activation(self.head(embeddings))
        return out


class ProbeObjective:
    """Cross-entropy with label smoothing, or the mean squared error, of the head's outputs.

    Args:
        probe: the head.
        job: the task, its targets and the label smoothing.
        weights: weight of each class in the loss, (classes,); None for equal weights.
    """

    block = 1

    def __init__(self, probe: Probe, job: FinetuneJob, weights: Tensor | None = None) -> None:
        self.model = self.network = probe
        self.job, self.weights = job, weights

    def loss(self, forward: Forward, batch: Batch) -> Tensor:
        """Return the mean loss of a batch, whose `video` holds features."""
        outputs = forward(batch.video.float()).float()
        if self.job.task != "classification":
            return F.mse_loss(outputs, batch.target)
        smoothing = self.job.finetune.label_smoothing
        soft = soft_labels(batch.target, len(self.job.targets), smoothing)
        weights = None if self.weights is None else self.weights.to(outputs.device)
        return F.cross_entropy(outputs, soft, weight=weights)


class FeatureDraws(Draws):
    """A stream of features in the order of a stream of clips; each draw takes one of its views.

    Args:
        clips: the stream of clips.
        kinds: the features of plain views, and of mirrored ones if they are learnt from.
    """

    def __init__(self, clips: Draws, kinds: Sequence[Features]) -> None:
        frames, box = clips.draw_frames, clips.draw_box
        super().__init__(clips.store, frames, box, size=clips.size, seed=clips.seed)
        self.clips, self.values = clips, torch.cat([kind.values for kind in kinds])
        self._rows: dict[str, list[int]] = {}
        for row, key in enumerate(key for kind in kinds for key in kind.keys):
            self._rows.setdefault(key, []).append(row)

    def order(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw the order of the clips of one epoch."""
        return self.clips.order(rng)

    def batch(self, positions: range) -> Batch:
        """Return the features at successive positions of the stream."""
        clips = [self.clip(position) for position in positions]
        rows = [
            np.random.default_rng((self.seed, AUGMENTATION, position)).choice(
                self._rows[self.store.keys[clip]]
            )
            for position, clip in zip(positions, clips, strict=True)
        ]
        targets = torch.from_numpy(self.store.targets[clips])
        return Batch(self.values[rows], targets, positions.start)


@torch.inference_mode()
def score(probe: Probe, features: Features, job: FinetuneJob) -> ScoredClips:
    """Score every kept view, as `evaluation.scoring.Scorer` scores frames.

    Args:
        probe: the head; it is left in evaluation mode.
        features: the kept views.
        job: the task.
    """
    probe.eval()
    where = probe.fc_norm.weight.device
    batches = features.values.split(SCORED_AT_ONCE)
    embeddings = torch.cat([probe.embed(batch.to(where).float()) for batch in batches])
    kind = Classification if job.task == "classification" else Regression
    scores = kind.scores(probe.outputs(embeddings))
    return ScoredClips(scores.cpu().numpy(), embeddings.cpu().numpy())


def predict(
    probe: Probe, store: ClipStore, job: FinetuneJob, config: EvaluateJob, features: Features
) -> tuple[Predictions, NDArray[np.float32]]:
    """Score the views of a store's clips whose features are kept.

    Returns:
        The predictions, and the embedding of the first view of each clip, (clips, C).
    """
    views = list_views(store, job, job.finetune.probe.views)
    found = score(probe, features, job)
    first = [row for row, view in enumerate(views) if view.number == 0]
    return as_predictions(found.scores, views, store, config), found.embeddings[first]


def validation_metrics(
    probe: Probe, store: ClipStore, job: FinetuneJob, scale: TargetScale, features: Features
) -> dict[str, float]:
    """Compute all metrics of the job's task on held-back clips.

    Args:
        probe: the head in training; it is left in evaluation mode.
        store: the held-back clips.
        job: the settings of the training.
        scale: the scale in which the head has learnt the targets.
        features: features of the plain views of the clips.
    """
    found, _ = predict(probe, store, job, EvaluateJob(), features)
    return metrics_of(found, job, scale)
