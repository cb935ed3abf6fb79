"""The first pass over a video: where its shots begin, and which faces are seen when.

Whole frames are searched where a shot begins and where a face was lost; otherwise the known faces
are followed in every n-th frame, and once a second a coarse glance tells whether someone has come.
Pictures are shrunk for it, and of every frame no more is kept than its time.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from svfap.faces.cuts import CutFinder
from svfap.faces.detectors.detector import Detector, Face
from svfap.video.decode import Frame, Image, declared_frames, frame_rate

_SECONDS = 1.0  # between two glances at whole frames
_MOST = 4  # more faces than this are found faster in the whole frame
_UNEVEN = 2  # pixels that rounding may take from the proportions
_SAME = 0.3  # two faces whose centres are this near, in sides, are one


@dataclass(frozen=True)
class Shot:
    """A stretch of frames without a cut.

    Attributes:
        start: number of its first frame.
        end: number of the frame after its last.
        looks: numbers of the frames that were looked at, and the faces in each.
    """

    start: int
    end: int
    looks: list[tuple[int, list[Face]]]


@dataclass(frozen=True)
class Search:
    """What the first pass finds; faces are in pixels of the full first frame.

    Attributes:
        width: of the first frame in pixels.
        height: of the first frame in pixels.
        steady: whether all frames have its proportions.
        fps: frames per second that the file claims.
        declared: number of frames that the file claims; 0 where it does not tell.
        times: when each frame is shown in seconds; None where the file does not tell.
        shots: the shots in order.
    """

    width: int
    height: int
    steady: bool
    fps: float
    declared: int
    times: list[float | None]
    shots: list[Shot]

    @property
    def missing(self) -> float:
        """Share of the frames that the file claims but that do not decode."""
        return max(0.0, 1 - len(self.times) / self.declared) if self.declared else 0.0


def search(
    path: Path, frames: Iterable[Frame], detector: Detector, *, every: int, max_side: int
) -> Search:
    """Look for faces in every n-th frame and wherever a shot begins.

    Args:
        path: the video.
        frames: its frames.
        detector: finds and follows faces.
        every: frames from one look to the next.
        max_side: frames are shrunk to this for detection.

    Raises:
        Reject: the video cannot be read.
    """
    fps, declared = frame_rate(path), declared_frames(path)
    watch = Watch(detector, period=round(fps * _SECONDS))
    cuts = CutFinder()
    times: list[float | None] = []
    looks: list[tuple[int, list[Face]]] = []
    size = (0, 0)
    steady = True
    due = 0
    for number, frame in enumerate(frames):
        size = size if number else frame.size
        steady &= abs(frame.size[0] * size[1] - frame.size[1] * size[0]) <= _UNEVEN * max(size)
        times.append(frame.seconds)
        new_shot = cuts.see(number, frame)
        if number >= due or new_shot:
            due = number + every
            image = frame.bgr(max_side)
            faces = watch.look(number, image, new_shot=new_shot)
            enlarge = size[0] / image.shape[1]
            looks.append((number, [face.scaled(enlarge) for face in faces]))
    shots = list(_shots(cuts.starts, looks, len(times)))
    return Search(*size, steady, fps, declared, times, shots)


def _shots(starts: list[int], looks: list[tuple[int, list[Face]]], frames: int) -> Iterator[Shot]:
    """The looks dealt to the shots."""
    numbers = [number for number, _ in looks]
    for start, end in pairwise([*starts, frames]):
        first, last = np.searchsorted(numbers, [start, end])
        yield Shot(start, end, looks[first:last])


class Watch:
    """Chooses between a search of the whole frame and a glance at the known faces.

    Args:
        detector: finds and follows faces.
        period: frames from one glance to the next.
    """

    def __init__(self, detector: Detector, *, period: int) -> None:
        self._detector, self._period = detector, period
        self._faces: list[Face] = []
        self._glanced = 0

    def look(self, number: int, image: Image, *, new_shot: bool) -> list[Face]:
        """The faces in a picture, the next that is looked at."""
        faces = None if new_shot else self._followed(image)
        if faces is not None and number >= self._glanced + self._period:
            self._glanced = number
            faces = faces if self._are_all(faces, image) else None
        if faces is None:
            faces = self._detector.detect(image)
            self._glanced = number
        self._faces = faces
        return faces

    def _are_all(self, faces: list[Face], image: Image) -> bool:
        """Whether a coarse glance shows no other face."""
        height, width = image.shape[:2]
        small = cv2.resize(image, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        seen = (face.scaled(2) for face in self._detector.glance(np.asarray(small, np.uint8)))
        return all(any(_same(one, face) for face in faces) for one in seen)

    def _followed(self, image: Image) -> list[Face] | None:
        """The known faces; None where the whole frame must be searched."""
        if not 0 < len(self._faces) <= _MOST:
            return None
        found: list[Face] = []
        for face in self._faces:
            again = self._detector.follow(image, face)
            if again is None or any(_same(again, other) for other in found):
                return None
            found.append(again)
        return found


def _same(one: Face, other: Face) -> bool:
    """Whether two faces lie upon each other."""
    distance = float(np.linalg.norm(one.centre - other.centre))
    return distance < _SAME * max(one.side, other.side)
