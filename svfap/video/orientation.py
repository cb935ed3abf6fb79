"""How the pixels of a frame must be mirrored and turned, so that the picture is upright.

FFmpeg decodes the pixels as they were recorded. Only the frame's display matrix says that a phone
was held sideways, or that a camera for selfies mirrored the picture.
"""

import math
from typing import Any, NamedTuple

import av
import cv2
import numpy as np
from av.sidedata.sidedata import SideDataContainer, Type
from numpy.typing import NDArray

_RIGHT_ANGLE = 1.0  # degrees by which a turn may differ from a right angle


class Orientation(NamedTuple):
    """How pixels are stored: in one of eight ways, or turned by another angle.

    Attributes:
        transposed: whether rows and columns are exchanged; this comes before mirroring.
        left_right: whether the picture is then mirrored horizontally.
        upside_down: whether the picture is then mirrored vertically.
        degrees: angle, clockwise, by which the picture is turned if that is no right angle.
    """

    transposed: bool = False
    left_right: bool = False
    upside_down: bool = False
    degrees: float = 0.0

    def upright(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return an image or a plane, shape (height, width, ...), as it should be seen."""
        if self.degrees:
            height, width = image.shape[:2]
            centre = (width - 1) / 2, (height - 1) / 2
            turn = cv2.getRotationMatrix2D(centre, -self.degrees, 1.0)
            return np.asarray(cv2.warpAffine(image, turn, (width, height)), dtype=np.uint8)
        image = image.swapaxes(0, 1) if self.transposed else image
        rows = slice(None, None, -1 if self.upside_down else 1)
        columns = slice(None, None, -1 if self.left_right else 1)
        return np.ascontiguousarray(image[rows, columns])


def orientation_of(picture: av.VideoFrame) -> Orientation:
    """Return the orientation of a decoded frame, as ffmpeg understands it.

    A display matrix has rows (a, b, u), (c, d, v), (x, y, w) and sends the pixel (p, q) to
    (a p + c q, b p + d q).
    """
    # `picture.side_data` would store a container that refers back to the picture. Such pictures are
    # freed late, by the garbage collector; meanwhile the decoder needs new memory for each frame.
    side_data: Any = SideDataContainer(picture)  # type: ignore[call-arg]
    if not len(side_data) or (data := side_data.get(Type.DISPLAYMATRIX)) is None:
        return Orientation()
    a, b, _, c, d = np.frombuffer(bytes(data), np.int32)[:5].tolist()
    degrees = math.degrees(math.atan2(b, a))
    if abs(degrees - 90 * round(degrees / 90)) > _RIGHT_ANGLE:
        return Orientation(degrees=degrees)
    if abs(b) > abs(a):
        return Orientation(transposed=True, left_right=c < 0, upside_down=b < 0)
    return Orientation(left_right=a < 0, upside_down=d < 0)
