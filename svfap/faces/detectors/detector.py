"""The interface of a face detector: boxes, scores and five points of the faces in an image."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from svfap.video.image import Image

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Face:
    """One detected face, in pixels of the image that it was found in.

    Attributes:
        box: left, top, right and bottom edge of the face, shape (4,).
        score: confidence from 0 to 1.
        points: x and y of the left eye as seen in the image, the right eye, the tip of the nose,
            the left and the right corner of the mouth; shape (5, 2).
    """

    box: Floats
    score: float
    points: Floats

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
        return Face(self.box * factor, self.score, self.points * factor)


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
