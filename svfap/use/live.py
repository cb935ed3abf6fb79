"""Score the main face in front of a camera live.

A live crop knows no later frames, so it is smoothed over past frames only and trails a moving face
by a quarter of `crop.smoothing`. When the model is slower than the camera, windows are skipped
rather than scored late.
"""

import logging
import time
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd

from svfap.config import FIXED_PRESETS
from svfap.faces import presets
from svfap.faces.align import cut_out
from svfap.faces.detectors.detector import Face, Floats
from svfap.faces.find_clips import face_corners
from svfap.faces.search import FrameSearcher
from svfap.faces.track import Track, choose
from svfap.use.camera import Camera, CameraFrame
from svfap.use.predictor import Predictor
from svfap.use.timeline import build_timeline
from svfap.use.window_sampler import WindowSampler
from svfap.video.image import Image

logger = logging.getLogger(__name__)

# A face may move by this many of its sides between two detections. `faces.track` allows about as
# much for detections 0.1 s apart: 0.5, and 2 more per second.
_REACH = 0.7
# Detect in every n-th frame, more often than `crop.every`. The stage `crop` fills gaps from both
# sides, but a live crop stays where the last detection was.
_DETECT_EVERY = 2
_HISTORY = 2.0  # seconds of detections to keep; by default, smoothing spans 0.4


@dataclass(frozen=True)
class LiveScores:
    """Scores of a camera, and how late they came.

    Attributes:
        table: a row per window, see `build_timeline`.
        latencies: seconds from the last frame of each window to its scores.
        window: length of a window in seconds.
        dropped: number of frames that were dropped because the camera was too fast.
    """

    table: pd.DataFrame
    latencies: tuple[float, ...]
    window: float
    dropped: int

    def latency_text(self) -> str:
        """Return a line on latency and dropped frames."""
        median, worst = np.median(self.latencies), max(self.latencies)
        return (
            f"latency: scores came {median:.2f} s (median; {worst:.2f} s at most) after the last"
            f" frame of their window of {self.window:.2f} s; {self.dropped} frames dropped"
        )


class LiveCrop(NamedTuple):
    """The face cut out of one frame.

    Attributes:
        picture: BGR crop (size, size, 3); None without a face.
        changed: whether the previous face has left, or another face has replaced it.
        corners: corners of the crop in the frame, see `cut_out`; None without a face.
    """

    picture: Image | None
    changed: bool
    corners: Floats | None = None


class FaceFollower:
    """Follows the main face and cuts it out of each frame.

    Args:
        predictor: the predictor, which provides the detector and the crop settings.
        fps: frames per second of the camera.
    """

    def __init__(self, predictor: Predictor, *, fps: float) -> None:
        self._config, self._fps = predictor.crop, fps
        self._watch = FrameSearcher(predictor.detector, period=round(fps))
        self._track = Track()
        self._number = 0

    def cut(self, image: Image) -> LiveCrop:
        """Cut the face out of the next frame."""
        number, config = self._number, self._config
        self._number += 1
        height, width = image.shape[:2]
        if config.preset in FIXED_PRESETS:
            preset = presets.voxceleb2 if config.preset == "voxceleb2" else presets.frames
            corners = preset(width, height, [number])[0]
            return LiveCrop(cut_out(image, corners, size=config.size), False, corners)
        changed = number % _DETECT_EVERY == 0 and self._detect(number, image)
        if not self._track.frames:
            return LiveCrop(None, changed)
        corners = self._corners(number)
        return LiveCrop(cut_out(image, corners, size=config.size), changed, corners)

    def _detect(self, number: int, image: Image) -> bool:
        """Update the track; return whether its face has left, or another face has replaced it."""
        shrink = min(1.0, self._config.max_side / max(image.shape[:2]))
        small = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        faces = [
            face.scaled(1 / shrink)
            for face in self._watch.look(number, np.asarray(small, np.uint8), new_shot=False)
        ]
        known = self._track.faces[-1:]
        near = [face for face in faces if known and _moved(known[0], face) < _REACH]
        if near:
            self._track.add(number, min(near, key=lambda face: _moved(known[0], face)))
            self._forget(number)
            return False
        # Wait for a face out of sight as long as the longest gap that cropping fills.
        if known and number - self._track.frames[-1] <= self._config.max_gap * self._fps:
            return False
        height, width = image.shape[:2]
        tracks = choose([Track([number], [f]) for f in faces], "main", width=width, height=height)
        self._track = tracks[0] if tracks else Track()
        return bool(known) or bool(tracks)

    def _forget(self, number: int) -> None:
        """Drop detections that the crop no longer depends on."""
        while self._track.frames[0] < number - _HISTORY * self._fps and len(self._track.frames) > 2:
            del self._track.frames[0], self._track.faces[0]

    def _corners(self, number: int) -> Floats:
        """Return the corners (3, 2), averaged over as many past frames as half the smoothing."""
        radius = max(1, round(self._config.smoothing * self._fps / 2))
        numbers = np.arange(max(0, number - radius + 1), number + 1)
        mean: Floats = face_corners(self._track, numbers, self._config, radius=0).mean(axis=0)
        return mean


def score_camera(
    camera: Camera, predictor: Predictor, *, seconds: float | None = None
) -> LiveScores:
    """Score a camera until it ends, the time is over, or the user interrupts with Ctrl-C.

    Args:
        camera: an open camera.
        predictor: the model.
        seconds: how long to score; None means until the camera ends.
    """
    follower = FaceFollower(predictor, fps=camera.fps)
    sampler = WindowSampler(predictor, fps=camera.fps)
    length = sampler.step * predictor.facts.job.model.num_frames
    rows: list[pd.DataFrame] = []
    latencies: list[float] = []
    start: float | None = None
    face = 1
    try:
        while frames := camera.take():
            start = frames[0].taken if start is None else start
            face += _sample(frames, follower, sampler)
            window = sampler.window()
            if window is not None:
                scores, _ = predictor.score([window])
                end = sampler.last - start
                latencies.append(time.monotonic() - sampler.last)
                span = [(face, max(0.0, end - length), end)]
                rows.append(build_timeline(camera.source, span, scores, predictor.facts))
                logger.info("%s", _line(rows[-1], latencies[-1], predictor))
            if seconds is not None and frames[-1].taken - start >= seconds:
                break
    except KeyboardInterrupt:
        logger.info("stopped")
    table = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame()
    return LiveScores(table, tuple(latencies), length, camera.dropped)


def _sample(frames: list[CameraFrame], follower: FaceFollower, sampler: WindowSampler) -> int:
    """Follow the face through some frames; return how often another face replaced it."""
    changes = 0
    for frame in frames:
        picture, changed, _ = follower.cut(frame.image)
        if changed:
            changes += sampler.last > 0  # a face that leaves and one that comes later count once
            sampler.clear()
        if picture is not None:
            sampler.add(picture, frame.taken)
    return changes


def _line(row: pd.DataFrame, latency: float, predictor: Predictor) -> str:
    """Return a line on one window for the log."""
    first = row.iloc[0]
    names = list(predictor.facts.job.targets)
    if predictor.facts.job.task == "classification":
        scores = f"{first['label']} {float(first[names].max()):.0%}"
    else:
        scores = "  ".join(f"{name} {float(first[name]):.2f}" for name in names)
    return f"{first['start']:.1f} to {first['end']:.1f} s  {scores}  (after {latency:.2f} s)"


def _moved(before: Face, now: Face) -> float:
    """Return how far a face has moved, in sides of the face."""
    return float(np.linalg.norm(now.centre - before.centre)) / max(before.side, 1.0)
