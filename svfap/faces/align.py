"""Alignment: from five points per detection to one smooth similarity transform per frame.

The window that is cut out follows the landmarks, whose noise is smaller than that of the box. Its
side, angle and centre are interpolated over frames without a detection and smoothed by a symmetric
filter, which neither lags behind the face nor lets detection noise shake the picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from svfap.faces.detectors.detector import Face, Floats
from svfap.faces.track import Track
from svfap.video.decode import Image
from svfap.video.timing import Numbers

# The height of a face from chin to hairline is about 2.5 times the distance of the eyes and 2.25
# times that from eyes to mouth. The larger is taken: the first shrinks when the head is turned to
# the side, the second when it is lowered.
_SIDE_PER_EYES = 2.5
_SIDE_PER_EYES_TO_MOUTH = 2.25
_SLOWER = 2  # times as long as its centre and angle, the side of a window is smoothed
_CENTRE = 0.35  # the middle of the face lies this far down from the eyes to the mouth


@dataclass(frozen=True)
class Windows:
    """The square around the face in each frame of a video.

    Attributes:
        centres: x and y in pixels of the frame, shape (frames, 2).
        sides: length of a side in pixels of the frame, shape (frames,).
        angles: clockwise turn of the face in radians, shape (frames,).
    """

    centres: Floats
    sides: Floats
    angles: Floats

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.sides)

    def grown(self, margin: float) -> "Windows":
        """The same windows with room around them, as a share of their side."""
        return Windows(self.centres, self.sides * (1 + margin), self.angles)

    def corners(self) -> Floats:
        """Top left, top right and bottom left corner in the frame, shape (frames, 3, 2)."""
        half = self.sides[:, None] / 2
        right = np.stack([np.cos(self.angles), np.sin(self.angles)], axis=1) * half
        down = np.stack([-right[:, 1], right[:, 0]], axis=1)
        at = self.centres
        return np.stack([at - right - down, at + right - down, at - right + down], axis=1)


def face_windows(track: Track, *, frames: Sequence[int] | Numbers, margin: float) -> Windows:
    """The window of each frame: linear between detections, constant before and after them.

    Args:
        track: the face, detected in at least one frame.
        frames: numbers of the frames that are wanted.
        margin: room around the face, as a share of its size.
    """
    return interpolated(track, [_window(face) for face in track.faces], frames).grown(margin)


def interpolated(
    track: Track, rows: Sequence[tuple[float, float, float, float]], frames: Sequence[int] | Numbers
) -> Windows:
    """Windows of any frames, from those of the frames in which a face was detected.

    Args:
        track: tells the numbers of these frames.
        rows: their windows: centre x, centre y, logarithm of the side, angle.
        frames: numbers of the frames that are wanted.
    """
    columns = np.array(rows).T
    columns[3] = np.unwrap(columns[3])
    x, y, log_side, angle = (np.interp(frames, track.frames, column) for column in columns)
    return Windows(np.stack([x, y], axis=1), np.exp(log_side), angle)


def smooth(windows: Windows, *, radius: int) -> Windows:
    """Centre, logarithm of the side, and angle, smoothed without delay.

    The side is smoothed over twice the time: heads come nearer more slowly than they move, and
    what changes the distances of the landmarks within a second is speech.

    Args:
        windows: the windows of all frames.
        radius: frames on either side that take part.
    """
    if min(radius, len(windows) - 1) < 1:
        return windows
    centres = np.stack([_filtered(column, radius) for column in windows.centres.T], axis=1)
    sides = np.exp(_filtered(np.log(windows.sides), _SLOWER * radius))
    return Windows(centres, sides, _filtered(windows.angles, radius))


def cut_out(image: Image, corners: Floats, *, size: int) -> Image:
    """Turn and scale a window of a picture to size x size pixels.

    Beyond the edges of the picture, its outermost pixels are repeated.

    Args:
        image: the whole frame, shape (height, width, 3).
        corners: top left, top right and bottom left corner of the window, shape (3, 2).
        size: side of the result in pixels.
    """
    side = float(min(np.linalg.norm(corners[1:] - corners[0], axis=1)))
    image, corners = _shrunk(image, corners, factor=int(side / size))
    interpolation = cv2.INTER_CUBIC if side < size else cv2.INTER_LINEAR
    target = np.array([[0, 0], [size, 0], [0, size]]) - 0.5
    matrix = cv2.getAffineTransform((corners - 0.5).astype(np.float32), target.astype(np.float32))
    return np.asarray(
        cv2.warpAffine(
            image, matrix, (size, size), flags=interpolation, borderMode=cv2.BORDER_REPLICATE
        ),
        dtype=np.uint8,
    )


def _filtered(values: Floats, radius: int) -> Floats:
    """Means weighted by a Hann window; beyond its ends, the curve goes on as it came."""
    radius = min(radius, len(values) - 1)
    kernel = np.hanning(2 * radius + 3)[1:-1]
    padded = np.pad(values, radius, mode="reflect", reflect_type="odd")
    return np.convolve(padded, kernel / kernel.sum(), mode="valid")


def _window(face: Face) -> tuple[float, float, float, float]:
    """Centre x, centre y, logarithm of the side, angle of the window around one face."""
    left, right, _, mouth_left, mouth_right = face.points
    eyes = (left + right) / 2
    across = right - left
    down = (mouth_left + mouth_right) / 2 - eyes
    x, y = eyes + _CENTRE * down
    side = max(
        _SIDE_PER_EYES * float(np.hypot(*across)),
        _SIDE_PER_EYES_TO_MOUTH * float(np.hypot(*down)),
    )
    upright = across + np.array([down[1], -down[0]])
    return x, y, float(np.log(max(side, 1.0))), float(np.arctan2(upright[1], upright[0]))


def _shrunk(image: Image, corners: Floats, *, factor: int) -> tuple[Image, Floats]:
    """The part of a picture around a window, averaged over factor x factor pixels."""
    if factor < 2:
        return image, corners
    height, width = image.shape[:2]
    last = corners[1] + corners[2] - corners[0]
    reach = np.vstack([corners, last])
    left, top = np.clip(np.floor(reach.min(axis=0)) - 2 * factor, 0, [width - 1, height - 1])
    right, bottom = np.clip(np.ceil(reach.max(axis=0)) + 3 * factor, 1, [width, height])
    part = image[
        int(top) : max(int(bottom), int(top) + 1), int(left) : max(int(right), int(left) + 1)
    ]
    new_width, new_height = max(1, part.shape[1] // factor), max(1, part.shape[0] // factor)
    part = part[: new_height * factor, : new_width * factor]  # whole blocks: many times faster
    small = cv2.resize(part, (new_width, new_height), interpolation=cv2.INTER_AREA)
    ratio = np.array([new_width / part.shape[1], new_height / part.shape[0]])
    return np.asarray(small, dtype=np.uint8), (corners - [left, top]) * ratio
