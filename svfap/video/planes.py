"""Pictures as planes of brightness and colour, the form in which videos and JPEGs store them.

Most videos and all our JPEGs are YUV 4:2:0: a plane of brightness (Y) and two planes of colour (U
and V) of half the width and height. A crop that stays in this form has half the numbers of RGB, and
is encoded without a detour through RGB.
"""

from functools import cache
from typing import NamedTuple

import av
import cv2
import numpy as np
from av.video.plane import VideoPlane
from numpy.typing import NDArray

from svfap.video.image import Image

Plane = NDArray[np.uint8]  # (height, width)
Planes = tuple[Plane, Plane, Plane]  # Y, U and V

_FORMATS = {"yuv420p", "yuvj420p"}  # 8 bits, no transparency
_FULL_RANGE = 2  # FFmpeg's number of the colour range in which Y goes from 0 to 255
# Shares of red and blue in brightness, by FFmpeg's number of the colour space. Files that name no
# space (2) count as BT.601, as in libswscale.
_BT601, _BT709 = (0.299, 0.114), (0.2126, 0.0722)
_WEIGHTS = {1: _BT709, 2: _BT601, 5: _BT601, 6: _BT601}
_GREY = 128.0  # the value of U and V in a grey pixel


class JpegPlanes(NamedTuple):
    """A picture in the colours of JPEG: BT.601, and Y from 0 (black) to 255 (white).

    Attributes:
        y: brightness, shape (height, width), both even.
        u: blueness, shape (height / 2, width / 2).
        v: redness, shape (height / 2, width / 2).
    """

    y: Plane
    u: Plane
    v: Plane


Picture = Image | JpegPlanes  # BGR of shape (height, width, 3), or planes


def planes_of(picture: av.VideoFrame) -> Planes | None:
    """Return views of the planes Y, U and V; None if the format or the colours are unusual."""
    if not _is_usual(picture):
        return None
    y, u, v = map(_view, picture.planes)
    return y, u, v


def luma_of(picture: av.VideoFrame) -> Plane | None:
    """Return a view of the plane Y; None if the format or the colours are unusual."""
    return _view(picture.planes[0]) if _is_usual(picture) else None


def in_jpeg_colours(y: Plane, u: Plane, v: Plane, *, of: av.VideoFrame) -> JpegPlanes:
    """Convert planes that were cut from a picture to the colours of JPEG."""
    full = of.format.name == "yuvj420p" or of.color_range == _FULL_RANGE
    change = _conversion(_WEIGHTS[of.colorspace], full)
    if any(change.tint):
        tint = cv2.resize(_mix(u, v, change.tint), y.shape[::-1], interpolation=cv2.INTER_LINEAR)
        y = _mix(y, np.asarray(tint, np.uint8), (change.gain, 1.0), constant=change.offset - _GREY)
    else:
        y = _mix(y, y, (change.gain, 0.0), constant=change.offset)
    return JpegPlanes(y, _mix(u, v, change.blue), _mix(u, v, change.red))


def _is_usual(picture: av.VideoFrame) -> bool:
    """Return whether a picture is YUV 4:2:0 with 8 bits, in colours that JPEG's can be made of."""
    return picture.format.name in _FORMATS and picture.colorspace in _WEIGHTS


def _view(plane: VideoPlane) -> Plane:
    """Return the pixels of a plane, without the padding at the end of its rows."""
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[: plane.height, : plane.width]


class _Conversion(NamedTuple):
    """Factors that turn a video's colours into JPEG's.

    Attributes:
        gain: factor of Y.
        offset: constant that is added to Y.
        tint: factors of U and V in Y.
        blue: factors of U and V in U; Y has no part in it, because grey stays grey.
        red: factors of U and V in V.
    """

    gain: float
    offset: float
    tint: tuple[float, float]
    blue: tuple[float, float]
    red: tuple[float, float]


@cache
def _conversion(weights: tuple[float, float], full: bool) -> _Conversion:
    """Return the factors for a video with these shares of red and blue in brightness.

    Args:
        weights: shares of red and blue.
        full: whether Y goes from 0 to 255; else from 16 to 235, and U and V from 16 to 240.
    """
    matrix = np.linalg.solve(_to_rgb(*_BT601), _to_rgb(*weights)).round(6)
    gain, spread = (1.0, 1.0) if full else (255 / 219, 255 / 224)
    tint, blue, red = ((float(u) * spread, float(v) * spread) for _, u, v in matrix)
    return _Conversion(gain, 0.0 if full else -16 * gain, tint, blue, red)


def _to_rgb(red: float, blue: float) -> NDArray[np.float64]:
    """Return the matrix that turns Y, U and V into R, G and B, with U and V around 0."""
    from_u, from_v = 2 * (1 - blue), 2 * (1 - red)  # the parts of U in B and of V in R
    green = 1 - red - blue
    middle = [1, -from_u * blue / green, -from_v * red / green]
    return np.array([[1, 0, from_v], middle, [1, from_u, 0]])


def _mix(
    one: Plane, other: Plane, factors: tuple[float, float], *, constant: float | None = None
) -> Plane:
    """Return the weighted sum of two planes, rounded; by default, grey planes stay grey."""
    added = _GREY * (1 - sum(factors)) if constant is None else constant
    return np.asarray(cv2.addWeighted(one, factors[0], other, factors[1], added), dtype=np.uint8)
