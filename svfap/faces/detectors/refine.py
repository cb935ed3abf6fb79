"""Detect each face once more in an upright square around it, for points that follow a tilted head.

YuNet underestimates the tilt of small faces: for a face 60 pixels wide and tilted by 30 degrees,
its points show 6 degrees. Detecting again in the face's square, turned upright and scaled to one
size, removes most of this error. Large squares work best. The last look, and every look at a known
face, uses a small square, which is cheap and keeps the points consistent.
"""

import numpy as np

from svfap.faces.align import cut_out, face_squares
from svfap.faces.detectors.detector import Face, Finder
from svfap.faces.track import Track
from svfap.video.image import Image

_TURNING_SIDES = (256, 256)  # sides of the squares that find the tilt, one after another, in pixels
_FINAL_SIDE = 144  # ... and of the square for points: its face is 90 wide, where YuNet errs least
_MARGIN = 0.6  # room around the face in these squares, as a share of its size
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
        return self._detect_upright(image, face, size=_FINAL_SIDE)

    def _refine(self, image: Image, face: Face) -> Face:
        """Return the same face with better points, if it is detected again."""
        for size in (*_TURNING_SIDES, _FINAL_SIDE):
            found = self._detect_upright(image, face, size=size)
            if found is None:
                break
            face = Face(box=face.box, score=face.score, points=found.points)
        return face

    def _detect_upright(self, image: Image, face: Face, *, size: int) -> Face | None:
        """Detect the face in the middle of an upright square around a known face."""
        corners = face_squares(Track([0], [face]), frames=range(1), margin=_MARGIN).corners()[0]
        found = self._nearest_to_the_middle(cut_out(image, corners, size=size))
        if found is None:
            return None
        # Map back from the square to the image; rows of `axes` are the steps of one pixel to the
        # right and down. A box cannot be turned, so it keeps its sides around the mapped centre.
        axes = (corners[1:] - corners[0]) / size
        centre = corners[0] + found.centre @ axes
        half = (found.box[2:] - found.box[:2]) / 2 * float(np.linalg.norm(axes[0]))
        box = np.concatenate([centre - half, centre + half])
        return Face(box=box, score=found.score, points=corners[0] + found.points @ axes)

    def _nearest_to_the_middle(self, image: Image) -> Face | None:
        """Return the face nearest to the middle of an image; None if none is near."""
        middle = np.array(image.shape[1::-1]) / 2

        def distance(face: Face) -> float:
            return float(np.linalg.norm(face.centre - middle))

        face = min(self._closer.detect(image), key=distance, default=None)
        return face if face is not None and distance(face) < len(image) / 4 else None
