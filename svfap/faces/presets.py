"""Compute the square to cut out of each frame, with one small function per preset.

Each function returns the square's top left, top right and bottom left corner in pixels of the
frame.
"""

from collections.abc import Sequence

import numpy as np

from svfap.faces.align import Square, face_squares, interpolate, smooth
from svfap.faces.detectors.detector import Face, Floats
from svfap.faces.track import Track
from svfap.video.sampling import Indices

# OpenFace scales its mean face, in millimetres, by 0.7 pixels in 112 and puts the middle of that
# face in the middle of the image. These are the eyes and the corners of the mouth of the mean face,
# as shares of the image's side; the nose is left out because it moves most when the head turns.
_OPENFACE = np.array([[0.2946, 0.2592], [0.7054, 0.2592], [0.3196, 0.6772], [0.6804, 0.6772]])
_FITTED = [0, 1, 3, 4]  # eyes and mouth corners among the five points of a `Face`
_VOXCELEB2 = (32 / 224, 0.0, 160 / 224)  # left, top, side: rows 0:160, columns 32:192 of 224


def auto(track: Track, numbers: Sequence[int] | Indices, *, margin: float, radius: int) -> Floats:
    """Return an upright square that follows the face without shaking, with room around it.

    Args:
        track: the face.
        numbers: numbers of the clip's frames.
        margin: room around the face, as a share of its size.
        radius: number of frames on either side to smooth over.
    """
    return smooth(face_squares(track, frames=numbers, margin=margin), radius=radius).corners()


def openface(track: Track, numbers: Sequence[int] | Indices, *, radius: int) -> Floats:
    """Return the square of OpenFace's `-simalign`: similarity to its mean face (paper section 4.2).

    At a size of 256 pixels, the square has the scale of `-simsize 256`; other sizes show the same
    view. The similarity is the least-squares fit of eyes and mouth, smoothed as in `auto`.

    Args:
        track: the face.
        numbers: numbers of the clip's frames.
        radius: number of frames on either side to smooth over.
    """
    detected = [_openface_square(face) for face in track.faces]
    return smooth(interpolate(track, detected, numbers), radius=radius).corners()


def voxceleb2(width: int, height: int, numbers: Sequence[int] | Indices) -> Floats:
    """Return the upper central square of VoxCeleb2's own crops (paper section 4.1).

    In frames of other sizes than VoxCeleb2's, edges move to the nearest even pixel, so that they
    cut no pixel, not even in colour planes of half the size.

    Args:
        width: width of the frame in pixels.
        height: height of the frame in pixels.
        numbers: numbers of the clip's frames.
    """
    left, top, side = _VOXCELEB2
    return 2 * np.round(_same_in_all_frames(width, height, numbers, (left, top), side) / 2)


def frames(width: int, height: int, numbers: Sequence[int] | Indices) -> Floats:
    """Return the whole image, stretched to a square, for frames that the publisher cropped.

    Args:
        width: width of the frame in pixels.
        height: height of the frame in pixels.
        numbers: numbers of the clip's frames.
    """
    return _same_in_all_frames(width, height, numbers, (0.0, 0.0), 1.0)


def _same_in_all_frames(
    width: int,
    height: int,
    numbers: Sequence[int] | Indices,
    corner: tuple[float, float],
    side: float,
) -> Floats:
    """Repeat one rectangle, given in shares of the frame, for all frames."""
    corners = np.array(corner) + np.array([[0, 0], [side, 0], [0, side]])
    return np.tile(corners * [width, height], (len(numbers), 1, 1))


def _openface_square(face: Face) -> Square:
    """Fit OpenFace's mean face to a detection and return the square that the fit implies.

    With points as complex numbers, the model is `points = turn * mean face + shift`: the modulus of
    `turn` is the side of the square in pixels, and its argument is the angle.
    """
    seen, mean = (p[:, 0] + 1j * p[:, 1] for p in (face.points[_FITTED], _OPENFACE))
    seen_centre, mean_centre = seen.mean(), mean.mean()
    arms = mean - mean_centre
    turn = np.vdot(arms, seen - seen_centre) / np.vdot(arms, arms).real
    centre = seen_centre + turn * (0.5 + 0.5j - mean_centre)
    return Square(
        centre.real, centre.imag, float(np.log(max(abs(turn), 1.0))), float(np.angle(turn))
    )
