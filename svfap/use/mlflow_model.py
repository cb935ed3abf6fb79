"""A logged model: `mlflow.pyfunc.load_model(...).predict(videos)` scores as the pipeline does."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from svfap.evaluation import scoring
from svfap.training.checkpoint import load_model
from svfap.video.sampling import view_indices


class MlflowPredictor:
    """A fine-tuned model that scores videos."""

    def __init__(self, checkpoint: Path) -> None:
        self.model, self.job = load_model(checkpoint)

    def predict(
        self, videos: NDArray[np.uint8], params: Mapping[str, Any] | None = None
    ) -> NDArray[np.float32]:
        """Score face videos, RGB (N, T, H, W, 3) of any length and size.

        Returns:
            Class probabilities, or predicted values, (N, targets); means over the views of each.
        """
        job = self.job
        stride, views = job.finetune.stride or job.stride, job.finetune.views
        places = view_indices(videos.shape[1], job.model.num_frames, stride, views)
        scores = [
            scoring.score(self.model, [video[view] for view in places], job).mean(0)
            for video in np.asarray(videos)
        ]
        return np.stack(scores)


def _load_pyfunc(path: str) -> MlflowPredictor:
    """What MLflow calls to load the model."""
    return MlflowPredictor(Path(path))
