"""A closer look at each detected face, for landmarks that follow a tilted head.

YuNet's points lean towards an upright face, the more so the smaller it is: of a tilt of 30 degrees
of a face 60 pixels wide, they show 6. Detecting again in the face's window, turned upright and
scaled to one size, takes most of the rest away. Large windows do it best. The last look, and every
look at a known face, is at a small one, which is cheap and whose points are of one kind.
"""

import numpy as np

from svfap.faces.align import cut_out, face_windows
from svfap.faces.detectors.detector import Face, Finder
from svfap.faces.track import Track
from svfap.video.decode import Image

_TURNING = (256, 256)  # sides of the windows in which the tilt is found, in pixels
_SIZE = 144  # ... and of the one for the points: its face is 90 wide, where YuNet errs least
_MARGIN = 0.6
_WORTH = 0.5  # faces smaller than this share of the largest are left as they are ...
_MOST = 8  # ... and so are all but the largest of a crowd


class CloserLook:
    """A detector whose points are those found in each face's upright window."""

    def __init__(self, finder: Finder, *, closer: Finder) -> None:
        """Improve on the points of `finder`, which finds the faces, with those of `closer`."""
        self._finder, self._closer = finder, closer

    def detect(self, image: Image) -> list[Face]:
        """The faces in a BGR picture; boxes and scores are those of the first look."""
        faces = sorted(self._finder.detect(image), key=lambda face: face.side, reverse=True)
        worth = [face for face in faces[:_MOST] if face.side >= _WORTH * faces[0].side]
        return [self._refined(image, face) for face in worth] + faces[len(worth) :]

    def glance(self, image: Image) -> list[Face]:
        """The faces in a BGR picture, as the finder sees them."""
        return self._finder.detect(image)

    def follow(self, image: Image, face: Face) -> Face | None:
        """The face in its window of a moment ago."""
        return self._look(image, face, size=_SIZE)

    def _refined(self, image: Image, face: Face) -> Face:
        """The same face with better points, as far as it is found again."""
        for size in (*_TURNING, _SIZE):
            again = self._look(image, face, size=size)
            if again is None:
                break
            face = Face(box=face.box, score=face.score, points=again.points)
        return face

    def _look(self, image: Image, face: Face, *, size: int) -> Face | None:
        """The face that is found in the middle of an upright window around a known one."""
        corners = face_windows(Track([0], [face]), frames=range(1), margin=_MARGIN).corners()[0]
        found = self._nearest_to_the_middle(cut_out(image, corners, size=size))
        if found is None:
            return None
        axes = (corners[1:] - corners[0]) / size
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
        return face if face is not None and distance(face) < len(image) / 4 else None
