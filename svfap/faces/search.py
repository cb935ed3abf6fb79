"""The first pass over a video: find its shots, and the faces in some of its frames.

This module uses two words. A *look* is a frame that was searched for faces. A look at a new shot,
or after a face was lost, detects faces in the whole frame; other looks only follow the known faces.
Once a second, a *glance* (a coarse detection in the whole frame) checks whether someone has come.
Images are shrunk for detection, and only the time of each frame is kept, so memory stays small.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import NamedTuple

import cv2
import numpy as np

from svfap.faces.cuts import CutFinder
from svfap.faces.detectors.detector import Detector, Face
from svfap.faces.quality import missing_share
from svfap.video.frame import Frame
from svfap.video.image import Image

_GLANCE_SECONDS = 1.0  # seconds between two glances at whole frames
_MOST_FOLLOWED = 4  # detecting in the whole frame is faster than following more faces than this
_UNEVEN = 2  # pixels by which rounding may change the proportions of a frame
_SAME_FACE = 0.3  # faces whose centres are closer than this share of a side are one


class Look(NamedTuple):
    """A frame that was searched, and the faces found in it."""

    frame: int
    faces: list[Face]


@dataclass(frozen=True)
class Shot:
    """A sequence of frames without a cut.

    Attributes:
        start: number of its first frame.
        end: number of the frame after its last.
        looks: the frames that were searched.
    """

    start: int
    end: int
    looks: list[Look]


@dataclass(frozen=True)
class SearchResult:
    """The result of the first pass; faces are in pixels of the full first frame.

    Attributes:
        width: width of the first frame in pixels.
        height: height of the first frame in pixels.
        steady: whether all frames have the proportions of the first.
        fps: frames per second that the file declares.
        declared: number of frames that the file declares; 0 if it declares none.
        times: second at which each frame is shown; None where the file does not say.
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
    def looks(self) -> int:
        """Number of frames that were searched."""
        return sum(len(shot.looks) for shot in self.shots)

    @property
    def missing(self) -> float:
        """Share of the declared frames that do not decode."""
        return missing_share(self.times, declared=self.declared, fps=self.fps)


def search(
    frames: Iterable[Frame], detector: Detector, *, every: int, max_side: int, follow: bool = True
) -> SearchResult:
    """Look for faces in every n-th frame and at the start of every shot.

    Args:
        frames: the frames of the video, at least one.
        detector: the detector that finds and follows faces.
        every: number of frames from one look to the next.
        max_side: longest side of a searched frame in pixels; larger frames are shrunk first.
        follow: whether to follow faces; else every look is a glance, which is enough for figures.

    Raises:
        Reject: the video cannot be read.
    """
    remaining = iter(frames)
    first = next(remaining)
    size, fps, declared = first.size, first.video.fps, first.video.frames
    searcher = FrameSearcher(detector, period=round(fps * _GLANCE_SECONDS))
    cuts = CutFinder()
    times: list[float | None] = []
    looks: list[Look] = []
    steady = True
    next_look = 0
    for number, frame in enumerate(chain((first,), remaining)):
        # This compares the proportions, w / h = w0 / h0, without a division.
        steady &= abs(frame.size[0] * size[1] - frame.size[1] * size[0]) <= _UNEVEN * max(size)
        times.append(frame.seconds)
        new_shot = cuts.add(number, frame)
        if number >= next_look or new_shot:
            next_look = number + every
            image = frame.bgr(max_side)
            if follow:
                faces = searcher.look(number, image, new_shot=new_shot)
            else:
                faces = detector.glance(image)
            enlarge = size[0] / image.shape[1]
            looks.append(Look(number, [face.scaled(enlarge) for face in faces]))
    # Shots are known only now, because the start of a flash is removed again.
    shots = list(_shots(cuts.starts, looks, len(times)))
    return SearchResult(*size, steady, fps, declared, times, shots)


def _shots(starts: Sequence[int], looks: list[Look], frames: int) -> Iterator[Shot]:
    """Yield the shots, each with its looks."""
    numbers = [look.frame for look in looks]
    for start, end in pairwise([*starts, frames]):
        first, last = np.searchsorted(numbers, [start, end])
        yield Shot(start, end, looks[first:last])


class FrameSearcher:
    """Finds the faces of successive frames, in whole frames only where that is needed.

    Args:
        detector: the detector that finds and follows faces.
        period: number of frames from one glance to the next.
    """

    def __init__(self, detector: Detector, *, period: int) -> None:
        self._detector, self._period = detector, period
        self._known: list[Face] = []
        self._last_glance = 0

    def look(self, number: int, image: Image, *, new_shot: bool) -> list[Face]:
        """Find the faces of the next frame; remember them for the frame after it."""
        faces = None if new_shot else self._follow_known(image)
        if faces is not None and number >= self._last_glance + self._period:
            self._last_glance = number
            faces = faces if self._are_all(faces, image) else None
        if faces is None:
            faces = self._detector.detect(image)
            self._last_glance = number
        self._known = faces
        return faces

    def _are_all(self, faces: list[Face], image: Image) -> bool:
        """Return whether a glance at the image finds only faces that are in the list."""
        height, width = image.shape[:2]
        small = cv2.resize(image, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        seen = (face.scaled(2) for face in self._detector.glance(np.asarray(small, np.uint8)))
        return all(any(_is_same(one, face) for face in faces) for one in seen)

    def _follow_known(self, image: Image) -> list[Face] | None:
        """Find the known faces again; return None if the whole frame must be searched."""
        if not 0 < len(self._known) <= _MOST_FOLLOWED:
            return None
        found: list[Face] = []
        for face in self._known:
            moved = self._detector.follow(image, face)
            # If two known faces are followed to one place, one of them has left or is hidden.
            if moved is None or any(_is_same(moved, other) for other in found):
                return None
            found.append(moved)
        return found


def _is_same(one: Face, other: Face) -> bool:
    """Return whether two faces are at the same place."""
    distance = float(np.linalg.norm(one.centre - other.centre))
    return distance < _SAME_FACE * max(one.side, other.side)
