"""A logged model: `mlflow.pyfunc.load_model(...).predict("video.mp4")` scores as `svfap.load`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from svfap.errors import SvfapError
from svfap.use import bundle as bundles
from svfap.use.mlflow_input import CROPS, crops_of, items_of, local_videos
from svfap.use.options import make_options
from svfap.use.predictor import Predictor
from svfap.use.timeline import with_scores
from svfap.video.resize import Frames
from svfap.video.sampling import evaluation_indices

VIDEOS = "videos"


class MlflowPredictor:
    """A fine-tuned model behind the interface that MLflow expects of a Python model."""

    def __init__(self, checkpoint: Path) -> None:
        self._predictor = Predictor(bundles.load(checkpoint))

    def predict(
        self,
        data: Any,  # noqa: ANN401
        params: Mapping[str, Any] | None = None,
    ) -> pd.DataFrame | NDArray[np.float32]:
        """Score videos, or crops of faces.

        Args:
            data: path or URL of a video; a list or column of them; or, with `input: crops` or in a
                column called crops, RGB pictures of a face (T, H, W, 3) uint8, several as a list or
                an array (N, T, H, W, 3), of any length and size.
            params: `input` (videos or crops), and the options hop, speaker, pad and batch_size of
                `svfap.load`.

        Returns:
            The table of `svfap.load(...).predict`; of crops a row each, the mean over its views.
            Models logged by version 0.1 have no parameters: they take crops and return an array
            (N, targets).

        Raises:
            SvfapError: an input or a parameter makes no sense, or every video is rejected.
        """
        if not params:
            return self._score_crops(crops_of(list(data)))
        options = dict(params)
        kind = options.pop("input", VIDEOS)
        if kind not in {VIDEOS, CROPS}:
            raise SvfapError(f"input is {kind!r}; choose {VIDEOS} or {CROPS}")
        items, column = items_of(data)
        predictor = self._with_options(options)
        if CROPS in (kind, column):
            scores = self._score_crops(crops_of(items))
            table = pd.DataFrame({"crops": range(len(items))})
            return with_scores(table, scores, predictor.facts)
        with local_videos(items) as paths:
            return predictor.predict(paths)

    def _with_options(self, options: Mapping[str, Any]) -> Predictor:
        """Return the predictor with some options; it is made again only if they change."""
        chosen = make_options(options)
        if chosen != self._predictor.options:
            self._predictor = Predictor(self._predictor.bundle, chosen)
        return self._predictor

    def _score_crops(self, crops: Sequence[Frames]) -> NDArray[np.float32]:
        """Return the mean scores (N, targets) over the views of each crop, as in testing."""
        facts = self._predictor.facts
        frames, views = facts.job.model.num_frames, facts.job.finetune.views
        means = [
            self._predictor.score(
                crop[view] for view in evaluation_indices(len(crop), frames, facts.stride, views)
            )[0].mean(0)
            for crop in crops
        ]
        return np.stack(means)


def _load_pyfunc(path: str) -> MlflowPredictor:
    """Load the model; MLflow calls the function of this name in a model's loader module."""
    return MlflowPredictor(Path(path))
