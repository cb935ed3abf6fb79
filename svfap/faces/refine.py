"""A closer look at each detected face, for landmarks that follow a tilted head.

YuNet's points lean towards an upright face, the more so the smaller it is: of a tilt of 30 degrees
of a face 60 pixels wide, they show 5 to 10. Detecting again in the face's window, turned upright
and scaled to one size, takes most of the rest away, and the noise of the points is halved because
the detector always sees the face at the same place and size.
"""

import numpy as np

from svfap.faces.align import cut_out, face_windows
from svfap.faces.detect import Face, Finder
from svfap.faces.track import Track
from svfap.video.decode import Image

_LOOKS = 2
_SIZE = 160  # side of the upright window in pixels
_MARGIN = 0.6
_WORTH = 0.5  # faces smaller than this share of the largest are left as they are


class CloserLook:
    """A detector whose points are those found in each face's upright window."""

    def __init__(self, finder: Finder, *, closer: Finder) -> None:
        """Improve on the points of `finder`, which finds the faces, with those of `closer`."""
        self._finder, self._closer = finder, closer

    def detect(self, image: Image) -> list[Face]:
        """The faces in a BGR picture; boxes and scores are those of the first look."""
        faces = self._finder.detect(image)
        least = _WORTH * max((face.side for face in faces), default=0.0)
        return [self._refined(image, face) if face.side >= least else face for face in faces]

    def follow(self, image: Image, face: Face) -> Face | None:
        """The face in its window of a moment ago."""
        return self._look(image, face)

    def _refined(self, image: Image, face: Face) -> Face:
        """The same face with better points, as far as it is found again."""
        for _ in range(_LOOKS):
            again = self._look(image, face)
            if again is None:
                break
            face = Face(box=face.box, score=face.score, points=again.points)
        return face

    def _look(self, image: Image, face: Face) -> Face | None:
        """The face that is found in the middle of an upright window around a known one."""
        corners = face_windows(Track([0], [face]), frames=range(1), margin=_MARGIN).corners()[0]
        found = self._nearest_to_the_middle(cut_out(image, corners, size=_SIZE))
        if found is None:
            return None
        axes = (corners[1:] - corners[0]) / _SIZE
        centre = corners[0] + found.centre @ axes
        half = (found.box[2:] - found.box[:2]) / 2 * float(np.linalg.norm(axes[0]))
        box = np.concatenate([centre - half, centre + half])
        return Face(box=box, score=found.score, points=corners[0] + found.points @ axes)

    def _nearest_to_the_middle(self, image: Image) -> Face | None:
        """The face in the middle of an upright window."""
        middle = np.array(image.shape[1::-1]) / 2

        def distance(face: Face) -> float:
            return float(np.linalg.norm(face.centre - middle))

        face = min(self._closer.detect(image), key=distance, default=None)
        return face if face is not None and distance(face) < _SIZE / 4 else None
