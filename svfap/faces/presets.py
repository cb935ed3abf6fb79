"""Where the face clip is cut out of each frame: one small function per source of crops.

Each returns the window's top left, top right and bottom left corner in pixels of the frame.
"""

from collections.abc import Sequence

import numpy as np

from svfap.faces.align import face_windows, interpolated, smooth
from svfap.faces.detectors.detector import Face, Floats
from svfap.faces.track import Track
from svfap.video.timing import Numbers

# OpenFace scales its mean face, in millimetres, by 0.7 pixels in 112 and puts the middle of that
# face into the middle of the picture. Eyes and corners of the mouth of the mean face, as shares of
# the picture's side; the nose is left out, since it moves most when the head turns.
_OPENFACE = np.array([[0.2946, 0.2592], [0.7054, 0.2592], [0.3196, 0.6772], [0.6804, 0.6772]])
_FITTED = [0, 1, 3, 4]
_VOXCELEB2 = (32 / 224, 0.0, 160 / 224)  # left, top, side: rows 0:160, columns 32:192 of 224


def auto(track: Track, numbers: Sequence[int] | Numbers, *, margin: float, radius: int) -> Floats:
    """A square that follows the face without shaking, upright, with room around it.

    Args:
        track: the face.
        numbers: of the frames of the clip.
        margin: room around the face, as a share of its size.
        radius: frames on either side over which it is smoothed.
    """
    return smooth(face_windows(track, frames=numbers, margin=margin), radius=radius).corners()


def openface(track: Track, numbers: Sequence[int] | Numbers, *, radius: int) -> Floats:
    """The square of OpenFace's `-simalign`: similarity to its mean face (paper section 4.2).

    At a size of 256 pixels it has the scale of `-simsize 256`; at any other, the same view. The
    similarity is the least-squares one of eyes and mouth, smoothed as in `auto`.

    Args:
        track: the face.
        numbers: of the frames of the clip.
        radius: frames on either side over which it is smoothed.
    """
    rows = [_similarity(face) for face in track.faces]
    return smooth(interpolated(track, rows, numbers), radius=radius).corners()


def voxceleb2(width: int, height: int, numbers: Sequence[int] | Numbers) -> Floats:
    """The upper central square of VoxCeleb2's own crops (paper section 4.1), the same in each.

    Args:
        width: of the frame in pixels.
        height: of the frame in pixels.
        numbers: of the frames of the clip.
    """
    left, top, side = _VOXCELEB2
    return _fixed(width, height, numbers, (left, top), side)


def frames(width: int, height: int, numbers: Sequence[int] | Numbers) -> Floats:
    """The whole picture, stretched to a square, of frames that the publisher cropped.

    Args:
        width: of the frame in pixels.
        height: of the frame in pixels.
        numbers: of the frames of the clip.
    """
    return _fixed(width, height, numbers, (0.0, 0.0), 1.0)


def _fixed(
    width: int,
    height: int,
    numbers: Sequence[int] | Numbers,
    corner: tuple[float, float],
    side: float,
) -> Floats:
    """One rectangle for all frames, given in shares of the frame."""
    corners = np.array(corner) + np.array([[0, 0], [side, 0], [0, side]])
    return np.tile(corners * [width, height], (len(numbers), 1, 1))


def _similarity(face: Face) -> tuple[float, float, float, float]:
    """Centre x, centre y, logarithm of the side and angle of a face's window in OpenFace.

    Points as complex numbers: the picture's points are `turn * mean face + shift`.
    """
    seen, mean = (p[:, 0] + 1j * p[:, 1] for p in (face.points[_FITTED], _OPENFACE))
    about, mean_about = seen.mean(), mean.mean()
    arms = mean - mean_about
    turn = np.vdot(arms, seen - about) / np.vdot(arms, arms).real
    centre = about + turn * (0.5 + 0.5j - mean_about)
    return centre.real, centre.imag, float(np.log(max(abs(turn), 1.0))), float(np.angle(turn))
