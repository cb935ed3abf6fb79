"""A logged model: `mlflow.pyfunc.load_model(...).predict(videos)` scores as `evaluate` does."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from svfap.evaluation.scoring import Scorer
from svfap.training.checkpoint import load_model
from svfap.video.sampling import evaluation_indices


class MlflowPredictor:
    """A fine-tuned model behind the interface that MLflow expects of a Python model."""

    def __init__(self, checkpoint: Path) -> None:
        model, self.job = load_model(checkpoint)
        self.scorer = Scorer(model, self.job)

    def predict(
        self, videos: NDArray[np.uint8], params: Mapping[str, Any] | None = None
    ) -> NDArray[np.float32]:
        """Score face videos, RGB (N, T, H, W, 3) of any length and size.

        Returns:
            Class probabilities or regressed values (N, targets), each the mean over the views of
            a video.
        """
        job = self.job
        stride, views = job.finetune.stride or job.stride, job.finetune.views
        places = evaluation_indices(videos.shape[1], job.model.num_frames, stride, views)
        means = [
            self.scorer.score([video[view] for view in places]).scores.mean(0)
            for video in np.asarray(videos)
        ]
        return np.stack(means)


def _load_pyfunc(path: str) -> MlflowPredictor:
    """Load the model; MLflow calls the function of this name in a model's loader module."""
    return MlflowPredictor(Path(path))
