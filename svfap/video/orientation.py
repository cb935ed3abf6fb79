"""How the pixels of a frame must be mirrored and turned, so that the picture is upright.

FFmpeg decodes the pixels as they were recorded. Only the frame's display matrix says that a phone
was held sideways, or that a camera for selfies mirrored the picture.
"""

from typing import Any, NamedTuple

import av
import numpy as np
from av.sidedata.sidedata import Type
from numpy.typing import NDArray


class Orientation(NamedTuple):
    """One of the eight ways in which pixels can be stored.

    Attributes:
        transposed: whether rows and columns are exchanged; this comes before mirroring.
        left_right: whether the picture is then mirrored horizontally.
        upside_down: whether the picture is then mirrored vertically.
    """

    transposed: bool = False
    left_right: bool = False
    upside_down: bool = False

    def upright(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return an image or a plane, shape (height, width, ...), as it should be seen."""
        if not any(self):
            return np.ascontiguousarray(image)
        image = image.swapaxes(0, 1) if self.transposed else image
        rows = slice(None, None, -1 if self.upside_down else 1)
        columns = slice(None, None, -1 if self.left_right else 1)
        return np.ascontiguousarray(image[rows, columns])


def orientation_of(picture: av.VideoFrame) -> Orientation:
    """Return the orientation of a decoded frame.

    A display matrix has rows (a, b, u), (c, d, v), (x, y, w) and sends the pixel (p, q) to
    (a p + c q, b p + d q). Turns by less than a right angle are rounded.
    """
    side_data: Any = picture.side_data
    if not len(side_data) or (data := side_data.get(Type.DISPLAYMATRIX)) is None:
        return Orientation()
    a, b, _, c, d = np.frombuffer(bytes(data), np.int32)[:5].tolist()
    if abs(b) > abs(a):
        return Orientation(True, c < 0, b < 0)
    return Orientation(False, a < 0, d < 0)
