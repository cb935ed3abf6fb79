"""The interface of a face detector: boxes, scores and five points of the faces in an image."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from svfap.video.image import Image

Floats = NDArray[np.float64]

_MAX_OVERLAP = 0.3  # of two boxes with a higher IoU, `distinct` keeps the one with the higher score


@dataclass(frozen=True)
class Face:
    """One detected face, in pixels of the image that it was found in.

    Attributes:
        box: left, top, right and bottom edge of the face, shape (4,).
        score: confidence from 0 to 1.
        points: x and y of the left eye as seen in the image, the right eye, the tip of the nose,
            the left and the right corner of the mouth; shape (5, 2).
        square: top left, top right and bottom left corner of the square in which the points were
            detected, shape (3, 2); None if they were detected in the whole image.
    """

    box: Floats
    score: float
    points: Floats
    square: Floats | None = None

    @property
    def centre(self) -> Floats:
        """Centre of the box, shape (2,)."""
        return (self.box[:2] + self.box[2:]) / 2

    @property
    def side(self) -> float:
        """Side of the square with the area of the box."""
        width, height = np.maximum(self.box[2:] - self.box[:2], 0)
        return float(np.sqrt(width * height))

    def scaled(self, factor: float) -> "Face":
        """Return the same face in an image that is `factor` times as large."""
        square = None if self.square is None else self.square * factor
        return Face(self.box * factor, self.score, self.points * factor, square)


def distinct(faces: Sequence[Face]) -> list[Face]:
    """Return the faces without those that overlap a face of higher score, best first."""
    boxes = [[*face.box[:2], *(face.box[2:] - face.box[:2])] for face in faces]
    kept = cv2.dnn.NMSBoxes(boxes, [face.score for face in faces], 0.0, _MAX_OVERLAP)
    return [faces[number] for number in kept]


class Finder(Protocol):
    """Finds the faces in an image."""

    def detect(self, image: Image) -> list[Face]:
        """Return the faces in a BGR image of shape (height, width, 3), in any order."""
        ...


class Detector(Finder, Protocol):
    """Finds the faces in an image, and follows a known face at lower cost."""

    def glance(self, image: Image) -> list[Face]:
        """Return the faces in a BGR image, with less exact points than `detect`."""
        ...

    def follow(self, image: Image, face: Face) -> Face | None:
        """Return a known face in a later BGR image; None if it is not near its last place."""
        ...
