"""The main face before a camera, scored as it is seen.

There is no looking ahead: the crop follows the mean of the last moments and so trails a moving face
by a quarter of `crop.smoothing`. When the model is slower than the camera, windows are left out
rather than scored late.
"""

import logging
import time
from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd

from svfap.faces import presets
from svfap.faces.align import cut_out
from svfap.faces.detectors.detector import Face, Floats
from svfap.faces.find_clips import FIXED_PRESETS, face_corners
from svfap.faces.search import FrameSearcher
from svfap.faces.track import Track, choose
from svfap.use.camera import Camera, CameraFrame
from svfap.use.footage import as_stored
from svfap.use.predictor import Predictor
from svfap.use.timeline import timeline
from svfap.use.windows import Picture

logger = logging.getLogger(__name__)

_REACH = 0.7  # sides of a face that it may move between two looks
_EVERY = 2  # frames between looks


@dataclass(frozen=True)
class Watched:
    """What came of watching a camera.

    Attributes:
        table: a row per window, see `timeline`.
        latencies: seconds from the last frame of each window to its scores.
        window: length of a window in seconds.
        dropped: frames that came too fast to be looked at.
    """

    table: pd.DataFrame
    latencies: tuple[float, ...]
    window: float
    dropped: int

    def told(self) -> str:
        """Latency in words."""
        median, worst = np.median(self.latencies), max(self.latencies)
        return (
            f"latency: scores came {median:.2f} s (median; {worst:.2f} s at most) after the last"
            f" frame of their window of {self.window:.2f} s; {self.dropped} frames dropped"
        )


class FaceFollower:
    """Keeps to one face and cuts it out of each frame.

    Args:
        predictor: its detector and crop settings.
        fps: frames per second of the camera.
    """

    def __init__(self, predictor: Predictor, *, fps: float) -> None:
        self._config, self._fps = predictor.crop, fps
        self._watch = FrameSearcher(predictor.detector, period=round(fps))
        self._track = Track()
        self._number = 0

    def cut(self, image: Picture) -> tuple[Picture | None, bool]:
        """The face in the next frame; None without one; and whether it is another than before."""
        number, config = self._number, self._config
        self._number += 1
        height, width = image.shape[:2]
        if config.preset in FIXED_PRESETS:
            preset = presets.voxceleb2 if config.preset == "voxceleb2" else presets.frames
            return cut_out(image, preset(width, height, [number])[0], size=config.size), False
        other = number % _EVERY == 0 and self._look(number, image)
        if not self._track.frames:
            return None, other
        return cut_out(image, self._corners(number), size=config.size), other

    def _look(self, number: int, image: Picture) -> bool:
        """Look for the face; whether another has taken its place, or it is gone."""
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
        if known and number - self._track.frames[-1] <= self._config.max_gap * self._fps:
            return False
        had, height, width = bool(known), *image.shape[:2]
        tracks = choose([Track([number], [f]) for f in faces], "main", width=width, height=height)
        self._track = tracks[0] if tracks else Track()
        return had or bool(tracks)

    def _forget(self, number: int) -> None:
        """Drop what the crop no longer depends on."""
        while self._track.frames[0] < number - 2 * self._fps and len(self._track.frames) > 2:
            del self._track.frames[0], self._track.faces[0]

    def _corners(self, number: int) -> Floats:
        radius = max(1, round(self._config.smoothing * self._fps / 2))
        numbers = np.arange(max(0, number - radius + 1), number + 1)
        mean: Floats = face_corners(self._track, numbers, self._config, radius=0).mean(axis=0)
        return mean


class Sampler:
    """Pictures of one face at even times, as many as a window takes.

    Args:
        predictor: tells sizes, stride and hop.
        fps: frames per second of the camera.
    """

    def __init__(self, predictor: Predictor, *, fps: float) -> None:
        facts = predictor.facts
        self._frames, self._size = facts.job.model.num_frames, facts.job.model.image_size
        self._quality = predictor.crop.quality
        self.step = facts.stride / (facts.fps or fps)
        hop = predictor.options.hop or self.step * self._frames / 2
        self._every = max(1, round(hop / self.step))
        self.clear()

    def clear(self) -> None:
        """Begin anew."""
        self._held: deque[Picture] = deque(maxlen=self._frames)
        self._next = 0.0
        self._new = self._every
        self.last = 0.0

    def add(self, picture: Picture, taken: float) -> None:
        """Take a picture if it is time for one, again if it is overdue."""
        if not self._held:
            self._next = taken
        while taken >= self._next:
            stored = as_stored(picture, quality=self._quality, size=self._size)
            self._held.append(stored)
            self._next += self.step
            self._new += 1
            self.last = taken

    def window(self) -> Picture | None:
        """The newest window, if it is time for one, (T, H, W, 3)."""
        if len(self._held) < self._frames or self._new < self._every:
            return None
        self._new = 0
        return np.stack(self._held)


def watch(source: Camera, predictor: Predictor, *, seconds: float | None = None) -> Watched:
    """Score what a camera sees until it ends, the time is over, or an interrupt.

    Args:
        source: the camera, reading.
        predictor: the model.
        seconds: how long; None: until the end.
    """
    follower, sampler = FaceFollower(predictor, fps=source.fps), Sampler(predictor, fps=source.fps)
    length = sampler.step * predictor.facts.job.model.num_frames
    rows: list[pd.DataFrame] = []
    latencies: list[float] = []
    began: float | None = None
    face = 1
    try:
        while shots := source.take():
            began = shots[0].taken if began is None else began
            face += _see(shots, follower, sampler)
            window = sampler.window()
            if window is not None:
                scores, _ = predictor.score([window])
                end = sampler.last - began
                latencies.append(time.monotonic() - sampler.last)
                span = [(face, max(0.0, end - length), end)]
                rows.append(timeline(source.source, span, scores, predictor.facts))
                logger.info("%s", _line(rows[-1], latencies[-1], predictor))
            if seconds is not None and shots[-1].taken - began >= seconds:
                break
    except KeyboardInterrupt:
        logger.info("stopped")
    table = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame()
    return Watched(table, tuple(latencies), length, source.dropped)


def _see(shots: list[CameraFrame], follower: FaceFollower, sampler: Sampler) -> int:
    """Follow the face through some frames; how often another took its place."""
    changes = 0
    for shot in shots:
        picture, other = follower.cut(shot.image)
        if other:
            changes += sampler.last > 0
            sampler.clear()
        if picture is not None:
            sampler.add(picture, shot.taken)
    return changes


def _line(row: pd.DataFrame, latency: float, predictor: Predictor) -> str:
    """A window in one line."""
    first = row.iloc[0]
    names = list(predictor.facts.job.targets)
    if predictor.facts.job.task == "classification":
        said = f"{first['label']} {float(first[names].max()):.0%}"
    else:
        said = "  ".join(f"{name} {float(first[name]):.2f}" for name in names)
    return f"{first['start']:.1f} to {first['end']:.1f} s  {said}  (after {latency:.2f} s)"


def _moved(before: Face, now: Face) -> float:
    """How far a face has moved, in its sides."""
    return float(np.linalg.norm(now.centre - before.centre)) / max(before.side, 1.0)
