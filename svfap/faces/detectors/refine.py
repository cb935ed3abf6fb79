"""Detect each face once more in an upright square around it, for points that follow a tilted head.

YuNet underestimates the tilt of small faces: for a face 60 pixels wide and tilted by 30 degrees,
its points show 6 degrees. Detecting again in the face's square, turned upright and scaled to one
size, removes most of this error. Large squares work best. The last look, and every look at a known
face, uses a small square, which is cheap and keeps the points consistent.

YuNet's points also move by some per cent of the face with the place of the face in the square. So
the square stays at rest while the face moves little in it.
"""

import math
from dataclasses import replace

import numpy as np

from svfap.faces.align import around, cut_out
from svfap.faces.detectors.detector import Face, Finder, Floats
from svfap.video.image import Image

_TURNING_SIDES = (256, 256)  # sides of the squares that find the tilt, one after another, in pixels
_FINAL_SIDE = 144  # ... and of the square for points: its face is 90 wide, where YuNet errs least
_MARGIN = 0.6  # room around the face in these squares, as a share of its size
_AT_REST = 0.1  # a corner may be off by this share of the square's side before the square moves
# Of a crowd, refine only faces that may become clips.
_MIN_SHARE = 0.5  # smallest side to refine, as a share of the largest face's side
_MOST_REFINED = 8


class CloserLook:
    """A detector that improves each face's points by a second detection in an upright square."""

    def __init__(self, finder: Finder, *, closer: Finder) -> None:
        """Find faces with `finder`, and improve their points with `closer`."""
        self._finder, self._closer = finder, closer

    def detect(self, image: Image) -> list[Face]:
        """Return the faces in a BGR image; boxes and scores are the first detection's."""
        faces = sorted(self._finder.detect(image), key=lambda face: face.side, reverse=True)
        large = [face for face in faces[:_MOST_REFINED] if face.side >= _MIN_SHARE * faces[0].side]
        return [self._refine(image, face) for face in large] + faces[len(large) :]

    def glance(self, image: Image) -> list[Face]:
        """Return the faces in a BGR image, as the finder detects them."""
        return self._finder.detect(image)

    def follow(self, image: Image, face: Face) -> Face | None:
        """Detect a known face in the square around its last place."""
        return self._detect_within(image, _steady_square(face), size=_FINAL_SIDE)

    def _refine(self, image: Image, face: Face) -> Face:
        """Return the same face with better points, if it is detected again."""
        for size in (*_TURNING_SIDES, _FINAL_SIDE):
            found = self._detect_within(image, _square(face), size=size)
            if found is None:
                break
            face = replace(face, points=found.points, square=found.square)
        return face

    def _detect_within(self, image: Image, square: Floats, *, size: int) -> Face | None:
        """Detect the face in the middle of a square of an image.

        Args:
            image: the whole image.
            square: corners of the square, shape (3, 2).
            size: side that the square is scaled to in pixels.
        """
        found = self._nearest_to_the_middle(cut_out(image, square, size=size))
        if found is None:
            return None
        # Map back from the square to the image; rows of `axes` are the steps of one pixel to the
        # right and down. A box cannot be turned, so it keeps its sides around the mapped centre.
        axes = (square[1:] - square[0]) / size
        centre = square[0] + found.centre @ axes
        half = (found.box[2:] - found.box[:2]) / 2 * math.hypot(*axes[0])
        box = np.concatenate([centre - half, centre + half])
        return Face(box, found.score, square[0] + found.points @ axes, square)

    def _nearest_to_the_middle(self, image: Image) -> Face | None:
        """Return the face nearest to the middle of an image; None if none is near."""
        middle = np.array(image.shape[1::-1]) / 2

        def distance(face: Face) -> float:
            return math.hypot(*(face.centre - middle))

        face = min(self._closer.detect(image), key=distance, default=None)
        return face if face is not None and distance(face) < len(image) / 4 else None


def _square(face: Face) -> Floats:
    """Return the corners (3, 2) of the upright square around a face."""
    corners: Floats = around(face, margin=_MARGIN).corners()[0]
    return corners


def _steady_square(face: Face) -> Floats:
    """Return the square of the last look at a face, or a new one if the face has moved in it."""
    new, old = _square(face), face.square
    if old is None:
        return new
    moved = np.abs(new - old).max()
    return old if moved < _AT_REST * math.dist(new[0], new[1]) else new
