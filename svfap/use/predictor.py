"""Turn videos into scores over time: `svfap.load(model).predict(path)`."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from svfap.errors import SvfapError
from svfap.evaluation.scoring import Scorer
from svfap.faces.detectors.make import make_detector
from svfap.models.token_counts import pooled_width
from svfap.progress import track
from svfap.training.distributed import device
from svfap.use import bundle as bundles
from svfap.use.bundle import Bundle
from svfap.use.find_videos import find_videos
from svfap.use.footage import Footage, find_faces
from svfap.use.options import Options, crop_settings
from svfap.use.timeline import build_timeline
from svfap.use.windows import Window
from svfap.video.decode import Reject
from svfap.video.resize import Frames
from svfap.video.shield import Shield

logger = logging.getLogger(__name__)

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class VideoScores:
    """Scores of one video, or the reason why it has none.

    Attributes:
        video: name of the video.
        path: the video's file or folder of frames.
        table: a row per window, see `build_timeline`; empty if the video was rejected.
        embeddings: embedding of each row, (n, C).
        footage: the faces and some decoded frames; None if the video was rejected, or if their
            memory was freed.
        reject: why the video was rejected; empty if it was scored.
    """

    video: str
    path: Path
    table: pd.DataFrame
    embeddings: Float32
    footage: Footage | None = None
    reject: str = ""


class Predictor:
    """Scores videos with a trained model.

    Args:
        bundle: the model.
        options: how to score videos.
        show_progress: whether to show progress lines.

    Raises:
        SvfapError: the weights do not fit the model's sizes, or the detector's weights are missing.
    """

    def __init__(
        self, bundle: Bundle, options: Options | None = None, *, show_progress: bool = False
    ) -> None:
        self.bundle, self.options = bundle, options or Options()
        self.show_progress = show_progress
        self.facts = bundle.facts
        self.crop = crop_settings(self.facts, self.options)
        self.detector = make_detector(self.crop)
        self._device, self._process = device(), os.getpid()
        self._scorer = Scorer(bundle.network(), self.facts.job).to(self._device).eval()
        _survive_fork()

    def __reduce__(self) -> tuple[Callable[..., "Predictor"], tuple[Bundle, Options]]:
        """Pickle and copy what the predictor is made of: detectors cannot be pickled."""
        return partial(Predictor, show_progress=self.show_progress), (self.bundle, self.options)

    def predict(self, path: str | Path | Sequence[str | Path]) -> pd.DataFrame:
        """Return scores over time, a row per face and window.

        Args:
            path: a video, a folder of frames, a folder of videos, or a list of these.

        Returns:
            A table with the columns video, face, start and end (seconds), `label` for
            classification, and the probability of each class or the value of each target.

        Raises:
            SvfapError: the model has no head, or every video was rejected. A rejected video of
                several is left out with a warning.
        """
        self.bundle.require_head()
        return pd.concat([scores.table for scores in self._accepted(path)], ignore_index=True)

    def features(self, path: str | Path | Sequence[str | Path]) -> Float32:
        """Return embeddings (n, C) of the windows in the rows of `predict`.

        A model that was only pre-trained returns the embeddings that fine-tuning starts from.

        Raises:
            SvfapError: every video was rejected.
        """
        return np.concatenate([scores.embeddings for scores in self._accepted(path)])

    def score_videos(self, videos: Mapping[str, Path]) -> Iterator[VideoScores]:
        """Score videos one after the other; a video that fails is rejected, and the rest goes on.

        Each of several videos is decoded in another process first, which it may crash.

        Args:
            videos: name -> path, see `find_videos`.

        Raises:
            Exception: any error of a single video that is not the video's fault.
        """
        with Shield() as shield:
            for name, path in videos.items():
                try:
                    # A crash of the decoder would cost the scores of the other videos.
                    if len(videos) > 1 and (why := shield.why_unreadable(path, self.crop.stream)):
                        raise Reject(why)
                    scores = self._score_video(name, path)
                except Reject as reject:
                    scores = self._rejected(name, path, str(reject))
                except Exception as error:
                    if len(videos) == 1:
                        raise
                    # One video must not cost the scores of the others, whatever is wrong with it.
                    logger.exception("%s", path)
                    scores = self._rejected(name, path, f"failed: {type(error).__name__}: {error}")
                yield scores
                del scores  # frees the decoded frames before the next video is decoded

    def score(self, windows: Iterable[Frames]) -> tuple[Float32, Float32]:
        """Return scores (n, targets) and embeddings (n, C) of windows (T, H, W, 3) uint8, RGB.

        Raises:
            SvfapError: this process was forked from one that had loaded the model on a GPU.
        """
        if self._device.type == "cuda" and self._process != os.getpid():
            raise SvfapError("the model was loaded on a GPU before a fork; load it in each process")
        remaining, size = iter(windows), self.options.batch_size
        parts = [self._scorer.score(part) for part in iter(lambda: [*islice(remaining, size)], [])]
        scores, features = zip(*parts, strict=True)
        return np.concatenate(scores), np.concatenate(features)

    def _accepted(self, path: str | Path | Sequence[str | Path]) -> list[VideoScores]:
        """Score all videos below some paths, and warn of those that were rejected."""
        found = find_videos(path)
        every = [replace(scores, footage=None) for scores in self.score_videos(found.videos)]
        accepted = [scores for scores in every if not scores.reject]
        if not accepted:
            first = every[0]
            more = f" (and {len(every) - 1} more videos)" if len(every) > 1 else ""
            raise SvfapError(f"{first.path}: {first.reject}{more}")
        for scores in every:
            if scores.reject:
                logger.warning("%s left out: %s", scores.video, scores.reject)
        if found.left_out:
            logger.warning("%s", found.describe_left_out())
        return accepted

    def _score_video(self, name: str, path: Path) -> VideoScores:
        """Score the windows of one video, a batch at a time while it is decoded."""
        footage = find_faces(
            path,
            self.facts,
            self.options,
            config=self.crop,
            detector=self.detector,
            show_progress=self.show_progress,
        )
        windows: Iterable[Window] = footage.windows(
            quality=self.crop.quality, size=self.facts.job.model.image_size
        )
        if self.show_progress:
            label = f"{path.name}: scores"
            windows = track(windows, total=len(footage), label=label, unit="window")
        spans: list[tuple[int, float, float]] = []
        batches: list[tuple[Float32, Float32]] = []
        for batch in _batches(windows, self.options.batch_size):
            batches.append(self.score([window.frames for window in batch]))
            faces = [footage.faces[window.clip] for window in batch]
            spans += [
                (face.number, *face.span(window.number))
                for face, window in zip(faces, batch, strict=True)
            ]
        scores, embeddings = map(np.concatenate, zip(*batches, strict=True))
        targets = len(self.facts.job.targets)  # 0 without a head: scores are embeddings then
        table = build_timeline(name, spans, scores[:, :targets], self.facts)
        return VideoScores(
            name, path, table.reset_index(drop=True), embeddings[table.index], footage
        )

    def _rejected(self, name: str, path: Path, reason: str) -> VideoScores:
        job = self.facts.job
        table = build_timeline(name, [], np.empty((0, len(job.targets)), np.float32), self.facts)
        empty = np.empty((0, pooled_width(job.model, job.finetune.pool)), np.float32)
        return VideoScores(name, path, table, empty, reject=reason)


@cache
def _survive_fork() -> None:
    """Make forked processes compute in one thread.

    A server may load the model, score once to warm up, and then fork its workers. A worker has only
    the thread that forked; OpenMP would wait forever for the others.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))


def _batches(windows: Iterable[Window], size: int) -> Iterator[list[Window]]:
    """Split windows into batches; the last may be smaller."""
    remaining = iter(windows)
    while batch := list(islice(remaining, size)):
        yield batch


def load(source: str | Path, options: Options, *, show_progress: bool = False) -> Predictor:
    """Load a model that scores videos; see `svfap.load`."""
    return Predictor(bundles.load(source), options, show_progress=show_progress)
