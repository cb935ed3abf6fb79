"""Turn videos into scores over time: `svfap.load(model).predict(path)`."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Literal, Never, overload

import numpy as np
import pandas as pd

from svfap.errors import SvfapError
from svfap.faces.detectors.make import make_detector
from svfap.models.token_counts import pooled_width
from svfap.progress import track
from svfap.use.bundle import Bundle
from svfap.use.devices import choose_device, survive_fork
from svfap.use.drawn import Drawn
from svfap.use.footage import find_faces
from svfap.use.inputs import Inputs, OnError, Video, find_inputs
from svfap.use.options import FLAG, Options, check_choice, crop_settings, refuse
from svfap.use.timeline import WindowSpan, build_timeline
from svfap.use.video_scores import Float32, VideoScores
from svfap.use.windows import Window, in_batches
from svfap.video.decode import Reject
from svfap.video.resize import Frames
from svfap.video.shield import Shield

__all__ = ["Float32", "Predictor", "VideoScores"]

logger = logging.getLogger(__name__)


class Predictor(Drawn):
    """Scores videos with a trained model.

    Args:
        bundle: the model.
        options: how to score videos.
        show_progress: whether to show progress lines.

    Raises:
        SvfapError: the weights do not fit the model's sizes, the detector's weights are missing, or
            there is no such device.
    """

    def __init__(
        self, bundle: Bundle, options: Options | None = None, *, show_progress: bool = False
    ) -> None:
        self.bundle, self.options = bundle, options or Options()
        self.show_progress = show_progress
        self._device, self._process = choose_device(self.options.device), os.getpid()
        self.facts = bundle.facts
        self.crop = crop_settings(self.facts, self.options)
        self.detector = make_detector(self.crop)
        self._scorer = bundle.scorer().to(self._device)
        survive_fork()

    def __reduce__(self) -> tuple[Callable[..., "Predictor"], tuple[Bundle, Options]]:
        """Pickle and copy what the predictor is made of: detectors cannot be pickled."""
        return partial(Predictor, show_progress=self.show_progress), (self.bundle, self.options)

    def __repr__(self) -> str:
        """Name the model, its outputs and its window."""
        job, facts = self.facts.job, self.facts
        outputs = ", ".join(job.targets) or "embeddings alone"
        frames = f"{job.model.num_frames} frames with stride {facts.stride}"
        rate = f" at {facts.fps:g} per second" if facts.fps else ""
        return f"<svfap model {self.bundle.title}: {outputs}; windows of {frames}{rate}>"

    def predict(
        self,
        path: Inputs,
        *,
        fps: float | None = None,
        on_error: OnError = "raise",
        **unknown: Never,
    ) -> pd.DataFrame:
        """Return scores over time, a row per face and window.

        Args:
            path: a video, a folder of frames, a folder of videos, an array or tensor of frames
                (T, H, W, 3) uint8, RGB, or a list of these.
            fps: frames per second of the arrays.
            on_error: what a path of a list does that does not exist or holds no video: "raise",
                or "skip", which leaves it out with a warning as a rejected video.
            **unknown: refused, with a line that says where options belong.

        Returns:
            A table with the columns video, face, start and end (seconds), start_frame and end_frame
            (from 0, the end excluded), `label` for classification, and the probability of each
            class or the value of each target.

        Raises:
            SvfapError: the model has no head, something given is no video, or every video was
                rejected. A rejected video of several is left out with a warning.
        """
        refuse(unknown, "predict", "path, fps and on_error")
        self.bundle.require_head()
        return pd.concat([s.table for s in self._accepted(path, fps, on_error)], ignore_index=True)

    @overload
    def features(
        self,
        path: Inputs,
        *,
        fps: float | None = None,
        as_frame: Literal[False] = False,
        on_error: OnError = "raise",
        **unknown: Never,
    ) -> Float32: ...

    @overload
    def features(
        self,
        path: Inputs,
        *,
        fps: float | None = None,
        as_frame: Literal[True],
        on_error: OnError = "raise",
        **unknown: Never,
    ) -> pd.DataFrame: ...

    def features(
        self,
        path: Inputs,
        *,
        fps: float | None = None,
        as_frame: bool = False,
        on_error: OnError = "raise",
        **unknown: Never,
    ) -> Float32 | pd.DataFrame:
        """Return embeddings (n, C) of the windows in the rows of `predict`.

        A model that was only pre-trained returns the embeddings that fine-tuning starts from.

        Args:
            path: as in `predict`.
            fps: frames per second of the arrays.
            as_frame: whether to return a table that says which video and time each row is: the
                columns video, face, start, end, start_frame, end_frame, feature1, feature2, ...
            on_error: as in `predict`.
            **unknown: as in `predict`.

        Raises:
            SvfapError: something given is no video, or every video was rejected.
        """
        refuse(unknown, "features", "path, fps, as_frame and on_error")
        check_choice("as_frame", as_frame, FLAG)
        accepted = self._accepted(path, fps, on_error)
        if as_frame:
            return pd.concat([scores.named_embeddings() for scores in accepted], ignore_index=True)
        return np.concatenate([scores.embeddings for scores in accepted])

    def score_videos(self, videos: Mapping[str, Video]) -> Iterator[VideoScores]:
        """Score videos one after the other; a video that fails is rejected, and the rest goes on.

        Each of several videos is decoded in another process first, which it may crash.

        Args:
            videos: name -> path or frames, see `find_videos` and `find_inputs`.

        Raises:
            Exception: any error of a single video that is not the video's fault.
        """
        with Shield() as shield:
            for name, path in videos.items():
                try:
                    # A crash of the decoder would cost the scores of the other videos.
                    file = path if len(videos) > 1 and isinstance(path, Path) else None
                    if file and (why := shield.why_unreadable(file, self.crop.stream)):
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

    def _accepted(self, path: Inputs, fps: float | None, on_error: OnError) -> list[VideoScores]:
        """Score all videos below some paths, and warn of those that were rejected."""
        videos, left_out = find_inputs(path, fps, on_error=on_error)
        every = [replace(scores, footage=None) for scores in self.score_videos(videos)]
        accepted = [scores for scores in every if not scores.reject]
        if not accepted:
            first = every[0]
            more = f" (and {len(every) - 1} more videos)" if len(every) > 1 else ""
            raise SvfapError(f"{first.path}: {first.reject}{more}")
        for scores in every:
            if scores.reject:
                logger.warning("%s left out: %s", scores.video, scores.reject)
        if left_out:
            logger.warning("%s", left_out)
        return accepted

    def _score_video(self, name: str, path: Video) -> VideoScores:
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
        spans: list[WindowSpan] = []
        batches: list[tuple[Float32, Float32]] = []
        for batch in in_batches(windows, self.options.batch_size):
            batches.append(self.score([window.frames for window in batch]))
            spans += [footage.faces[window.clip].span(window.number) for window in batch]
        scores, embeddings = map(np.concatenate, zip(*batches, strict=True))
        targets = len(self.facts.job.targets)  # 0 without a head: scores are embeddings then
        table = build_timeline(name, spans, scores[:, :targets], self.facts)
        return VideoScores(
            name, path, table.reset_index(drop=True), embeddings[table.index], footage
        )

    def _rejected(self, name: str, path: Video, reason: str) -> VideoScores:
        job = self.facts.job
        table = build_timeline(name, [], np.empty((0, len(job.targets)), np.float32), self.facts)
        empty = np.empty((0, pooled_width(job.model, job.finetune.pool)), np.float32)
        return VideoScores(name, path, table, empty, reject=reason)
