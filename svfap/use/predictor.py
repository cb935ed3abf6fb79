"""From videos to scores over time: `svfap.load(model).predict(path)`."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from svfap.errors import SvfapError
from svfap.evaluation.scoring import Scorer
from svfap.faces.detectors.make import make_detector
from svfap.progress import track
from svfap.training.distributed import device
from svfap.use import bundle as bundles
from svfap.use.bundle import Bundle
from svfap.use.footage import Footage, find
from svfap.use.options import Options, crop_settings, sources
from svfap.use.timeline import timeline
from svfap.use.windows import Picture
from svfap.video.decode import Reject

logger = logging.getLogger(__name__)

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class VideoScores:
    """What a model says of one video.

    Attributes:
        video: its name.
        path: its file.
        table: a row per window, see `timeline`; empty if the video cannot be used.
        embeddings: of each row, (n, C).
        footage: the faces that were followed, and some of the video's frames; None if it cannot
            be used, or once they are no longer needed.
        reject: why it cannot be used; empty if it can.
    """

    video: str
    path: Path
    table: pd.DataFrame
    embeddings: Floats
    footage: Footage | None = None
    reject: str = ""


class Predictor:
    """A model that is ready for videos.

    Args:
        bundle: the model.
        options: how videos are looked at.
        shown: whether progress is.

    Raises:
        SvfapError: the weights do not fit their sizes, or the detector's are missing.
    """

    def __init__(
        self, bundle: Bundle, options: Options | None = None, *, shown: bool = False
    ) -> None:
        self.bundle, self.options, self.shown = bundle, options or Options(), shown
        self.facts = bundle.facts
        self.crop = crop_settings(self.facts, self.options)
        self.detector = make_detector(self.crop)
        self._scorer = Scorer(bundle.network(), self.facts.job).to(device()).eval()

    def predict(self, path: str | Path) -> pd.DataFrame:
        """Scores over time, a row per face and window.

        Args:
            path: a video, a folder of frames, or a folder of videos.

        Returns:
            Columns video, face, start and end (seconds), for classification `label`, and the
            probability of each class or the value of each target.

        Raises:
            SvfapError: the model has no head, or no video can be used; videos of a folder that
                cannot be used are left out with a warning.
        """
        self.bundle.require_head()
        return pd.concat([done.table for done in self._usable(path)], ignore_index=True)

    def features(self, path: str | Path) -> Floats:
        """Embeddings (n, C) of the windows that `predict` has rows for, in the same order.

        Those of a model that was pre-trained only are what fine-tuning begins with.

        Raises:
            SvfapError: no video can be used.
        """
        return np.concatenate([done.embeddings for done in self._usable(path)])

    def outcomes(self, videos: Mapping[str, Path]) -> Iterator[VideoScores]:
        """What the model says of each video by its name, one after the other; see `sources`."""
        for name, video in videos.items():
            try:
                yield self._outcome(name, video)
            except Reject as reject:
                yield self._rejected(name, video, str(reject))

    def score(self, windows: Iterable[Picture]) -> tuple[Floats, Floats]:
        """Scores (n, targets) and embeddings (n, C) of windows (T, H, W, 3) uint8, RGB."""
        remaining, size = iter(windows), self.options.batch_size
        parts = [self._scorer.score(part) for part in iter(lambda: [*islice(remaining, size)], [])]
        scores, features = zip(*parts, strict=True)
        return np.concatenate(scores), np.concatenate(features)

    def _usable(self, path: str | Path) -> list[VideoScores]:
        """All videos that can be used."""
        found = self.outcomes(sources(Path(path)))
        outcomes = [replace(done, footage=None) for done in found]
        good = [done for done in outcomes if not done.reject]
        if not good:
            first = outcomes[0]
            more = f" (and {len(outcomes) - 1} more videos)" if len(outcomes) > 1 else ""
            raise SvfapError(f"{first.path}: {first.reject}{more}")
        for done in outcomes:
            if done.reject:
                logger.warning("%s left out: %s", done.video, done.reject)
        return good

    def _outcome(self, name: str, path: Path) -> VideoScores:
        footage = find(
            path, self.facts, self.options,
            config=self.crop, detector=self.detector, shown=self.shown,
        )  # fmt: skip
        places: list[tuple[int, int]] = []

        def pictures() -> Iterator[Picture]:
            size = self.facts.job.model.image_size
            windows: Iterable[tuple[int, int, Picture]]
            windows = footage.windows(quality=self.crop.quality, size=size)
            if self.shown:
                label = f"{path.name}: scores"
                windows = track(windows, total=len(footage), label=label, unit="window")
            for clip, number, window in windows:
                places.append((clip, number))
                yield window

        scores, embeddings = self.score(pictures())
        spans = [(footage.faces[clip], *footage.span(clip, number)) for clip, number in places]
        table = timeline(name, spans, scores[:, : len(self.facts.job.targets)], self.facts)
        return VideoScores(
            name, path, table.reset_index(drop=True), embeddings[table.index], footage
        )

    def _rejected(self, name: str, path: Path, reason: str) -> VideoScores:
        job = self.facts.job
        table = timeline(name, [], np.empty((0, len(job.targets)), np.float32), self.facts)
        width = job.model.dim
        return VideoScores(name, path, table, np.empty((0, width), np.float32), reject=reason)


def load(source: str | Path, options: Options, *, shown: bool = False) -> Predictor:
    """A model that is ready for videos; see `svfap.load`."""
    return Predictor(bundles.load(source), options, shown=shown)
