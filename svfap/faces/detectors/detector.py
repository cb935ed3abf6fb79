"""What a face detector is: boxes, scores and five points of the faces in one picture."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from svfap.video.decode import Image

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Face:
    """One detected face, in pixels of the picture that it was found in.

    Attributes:
        box: left, top, right, bottom; shape (4,).
        score: confidence from 0 to 1.
        points: x and y of the left eye as seen in the picture, the right eye, the tip of the nose,
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
        """The same face in a picture that is `factor` times as large."""
        return Face(self.box * factor, self.score, self.points * factor)


class Finder(Protocol):
    """Finds the faces in a picture."""

    def detect(self, image: Image) -> list[Face]:
        """The faces in a BGR picture of shape (height, width, 3), in no particular order."""
        ...


class Detector(Finder, Protocol):
    """Finds the faces in a picture, and a known face in the next ones at less expense."""

    def glance(self, image: Image) -> list[Face]:
        """The faces in a BGR picture, their points less exact than those of `detect`."""
        ...

    def follow(self, image: Image, face: Face) -> Face | None:
        """The face in a BGR picture taken a moment later; None if it is not about there."""
        ...
