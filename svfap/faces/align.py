"""Align faces: from five points per detection to one smooth similarity transform per frame.

The square to cut out follows the landmarks, which are less noisy than the detector's box. Its side,
angle and centre are interpolated over frames without a detection and smoothed by a symmetric
filter, which neither lags behind the face nor lets detection noise shake the clip.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from svfap.faces.detectors.detector import Face, Floats
from svfap.faces.track import Track
from svfap.video.image import Image
from svfap.video.sampling import Indices

# Chin to hairline is about 2.5 times the distance between the eyes and 2.25 times the distance from
# eyes to mouth. The larger of the two estimates is used: the first shrinks when the head turns to
# the side, the second when it is lowered.
_SIDE_PER_EYES = 2.5
_SIDE_PER_EYES_TO_MOUTH = 2.25
_CENTRE = 0.35  # the face's centre, as a share of the way from the eyes down to the mouth
_WHOLE = 1e-3  # pixels by which an edge may be off the border between two pixels
_SIDE_SMOOTHING = 2  # the side is smoothed over this many times the radius of centre and angle


class Square(NamedTuple):
    """The square around one face, as interpolated between detections.

    The side is stored as a logarithm, so that 100 lies halfway between 50 and 200 pixels.

    Attributes:
        x: horizontal position of the centre in pixels of the frame.
        y: vertical position of the centre in pixels of the frame.
        log_side: natural logarithm of the side in pixels of the frame.
        angle: clockwise turn of the face in radians.
    """

    x: float
    y: float
    log_side: float
    angle: float


@dataclass(frozen=True)
class Squares:
    """The square around the face in each frame of a video.

    Attributes:
        centres: x and y of each centre in pixels of the frame, shape (frames, 2).
        sides: length of a side in pixels of the frame, shape (frames,).
        angles: clockwise turn of the face in radians, shape (frames,).
    """

    centres: Floats
    sides: Floats
    angles: Floats

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.sides)

    def enlarged(self, margin: float) -> "Squares":
        """Return squares around the same centres, with sides longer by a share of `margin`."""
        return Squares(self.centres, self.sides * (1 + margin), self.angles)

    def corners(self) -> Floats:
        """Top left, top right and bottom left corner in the frame, shape (frames, 3, 2)."""
        half = self.sides[:, None] / 2
        right = np.stack([np.cos(self.angles), np.sin(self.angles)], axis=1) * half
        down = np.stack([-right[:, 1], right[:, 0]], axis=1)
        centres = self.centres
        return np.stack(
            [centres - right - down, centres + right - down, centres - right + down], axis=1
        )


def square_around(face: Face) -> Square:
    """Return the square around one detected face, without room around it."""
    left, right, _, mouth_left, mouth_right = face.points
    eyes = (left + right) / 2
    across = right - left
    down = (mouth_left + mouth_right) / 2 - eyes
    x, y = eyes + _CENTRE * down
    side = max(
        _SIDE_PER_EYES * float(np.hypot(*across)),
        _SIDE_PER_EYES_TO_MOUTH * float(np.hypot(*down)),
    )
    # The eye line and the eye-to-mouth line, turned by 90 degrees, both point to the right of the
    # face; their sum is less noisy than either.
    upright = across + np.array([down[1], -down[0]])
    # Points that coincide would give a side of 0, so `max` avoids its infinite logarithm.
    return Square(x, y, float(np.log(max(side, 1.0))), float(np.arctan2(upright[1], upright[0])))


def face_squares(track: Track, *, frames: Sequence[int] | Indices, margin: float) -> Squares:
    """Return the square of each frame, interpolated linearly between detections.

    Before the first and after the last detection, the square stays the same.

    Args:
        track: the face, detected in at least one frame.
        frames: numbers of the frames to return squares for.
        margin: room around the face, as a share of its size.
    """
    detected = [square_around(face) for face in track.faces]
    return interpolate(track, detected, frames).enlarged(margin)


def around(face: Face, *, margin: float) -> Squares:
    """Return the one square around a face, with room around it as a share of its size."""
    x, y, log_side, angle = square_around(face)
    square = Squares(np.array([[x, y]]), np.exp([log_side]), np.array([angle]))
    return square.enlarged(margin)


def interpolate(
    track: Track, detected: Sequence[Square], frames: Sequence[int] | Indices
) -> Squares:
    """Interpolate the squares of any frames from the squares of the frames with a detection.

    Args:
        track: the face, whose `frames` are the frames with a detection.
        detected: the square of each of these frames.
        frames: numbers of the frames to return squares for.
    """
    columns = np.array(detected).T
    columns[3] = np.unwrap(columns[3])  # from 179 to -179 degrees is a turn by 2, not by 358
    x, y, log_side, angle = (np.interp(frames, track.frames, column) for column in columns)
    return Squares(np.stack([x, y], axis=1), np.exp(log_side), angle)


def smooth(squares: Squares, *, radius: int) -> Squares:
    """Smooth centre, logarithm of the side, and angle, without delay.

    The side is smoothed over twice the time: heads approach the camera more slowly than they move
    sideways, and speech changes the distances between landmarks within a second.

    Args:
        squares: the square of each frame.
        radius: number of frames on either side to average over.
    """
    if min(radius, len(squares) - 1) < 1:
        return squares
    centres = np.stack([_smooth_column(column, radius) for column in squares.centres.T], axis=1)
    sides = np.exp(_smooth_column(np.log(squares.sides), _SIDE_SMOOTHING * radius))
    return Squares(centres, sides, _smooth_column(squares.angles, radius))


def cut_out(image: Image, corners: Floats, *, size: int) -> Image:
    """Turn and scale a square of an image to size x size pixels.

    Outside the image, its edge pixels are repeated.

    Args:
        image: the whole frame, shape (height, width, 3), or one plane of it, (height, width).
        corners: top left, top right and bottom left corner of the square, shape (3, 2).
        size: side of the result in pixels.
    """
    side = min(math.dist(corners[0], corner) for corner in corners[1:])
    # warpAffine reads at most 4 x 4 source pixels per target pixel; without averaging first, a
    # large face would be sampled with gaps (aliasing).
    image, corners = _shrink_around(image, corners, factor=int(side / size))
    interpolation = cv2.INTER_CUBIC if side < size else cv2.INTER_LINEAR
    part = _whole_pixels(image, corners)
    if part is not None:
        return np.asarray(cv2.resize(part, (size, size), interpolation=interpolation), np.uint8)
    # The matrix maps pixels of the target to the source. Corners are edges of pixels; OpenCV's
    # coordinates are centres of pixels, half a pixel off.
    (x, y), *ends = corners.tolist()
    (right_x, right_y), (down_x, down_y) = (((a - x) / size, (b - y) / size) for a, b in ends)
    matrix = np.array(
        [
            [right_x, down_x, x + (right_x + down_x) / 2 - 0.5],
            [right_y, down_y, y + (right_y + down_y) / 2 - 0.5],
        ]
    )
    flags = interpolation | cv2.WARP_INVERSE_MAP
    cut = cv2.warpAffine(image, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cut, dtype=np.uint8)


def _whole_pixels(image: Image, corners: Floats) -> Image | None:
    """Return the view of an upright rectangle of whole pixels in an image; None for any other.

    Scaling such a view is faster than `warpAffine`, with the same result.
    """
    (left, top), (right, other_top), (other_left, bottom) = corners.tolist()
    if (left, top) != (other_left, other_top):
        return None
    height, width = image.shape[:2]
    edges = [round(edge) for edge in (left, top, right, bottom)]
    whole = math.dist(edges, (left, top, right, bottom)) < _WHOLE
    inside = 0 <= edges[0] < edges[2] <= width and 0 <= edges[1] < edges[3] <= height
    return image[edges[1] : edges[3], edges[0] : edges[2]] if whole and inside else None


def _smooth_column(values: Floats, radius: int) -> Floats:
    """Average values with a Hann kernel; point reflection extends the curve beyond both ends."""
    radius = min(radius, len(values) - 1)
    kernel = np.hanning(2 * radius + 3)[1:-1]  # without the two outermost weights, which are 0
    # Point reflection continues a straight line, so steady motion keeps its speed at the ends.
    padded = np.pad(values, radius, mode="reflect", reflect_type="odd")
    return np.convolve(padded, kernel / kernel.sum(), mode="valid")


def _shrink_around(image: Image, corners: Floats, *, factor: int) -> tuple[Image, Floats]:
    """Crop an image around a square and average blocks of factor x factor pixels.

    Returns:
        The smaller image, and the square's corners in its pixels.
    """
    if factor < 2:
        return image, corners
    height, width = image.shape[:2]
    bottom_right = corners[1] + corners[2] - corners[0]
    reach = np.vstack([corners, bottom_right])
    left, top = np.clip(np.floor(reach.min(axis=0)) - 2 * factor, 0, [width - 1, height - 1])
    right, bottom = np.clip(np.ceil(reach.max(axis=0)) + 3 * factor, 1, [width, height])
    part = image[
        int(top) : max(int(bottom), int(top) + 1), int(left) : max(int(right), int(left) + 1)
    ]
    new_width, new_height = max(1, part.shape[1] // factor), max(1, part.shape[0] // factor)
    # INTER_AREA is many times faster where every target pixel is a whole block of source pixels.
    part = part[: new_height * factor, : new_width * factor]
    small = cv2.resize(part, (new_width, new_height), interpolation=cv2.INTER_AREA)
    ratio = np.array([new_width / part.shape[1], new_height / part.shape[0]])
    return np.asarray(small, dtype=np.uint8), (corners - [left, top]) * ratio
