"""A face frame as it lies in a shard: JPEG, or its pixels.

`jpeg` is compact. `raw` is a NumPy file of the RGB picture, about ten times as large and read at
several times the speed.
"""

import io
from typing import Literal

import numpy as np
import simplejpeg
from numpy.typing import NDArray

Format = Literal["jpeg", "raw"]
Picture = NDArray[np.uint8]
SUFFIXES: dict[Format, str] = {"jpeg": "jpg", "raw": "npy"}


def encode(jpeg: bytes, form: Format) -> bytes:
    """A JPEG frame in the form of a shard.

    Raises:
        ValueError: the JPEG is damaged.
    """
    if form == "jpeg":
        return jpeg
    file = io.BytesIO()
    np.save(file, simplejpeg.decode_jpeg(jpeg))
    return file.getvalue()


def decode(data: bytes | memoryview, form: Format, size: tuple[int, int]) -> Picture:
    """RGB picture (H, W, 3) of a frame whose height and width are known.

    Raises:
        ValueError: the frame is damaged.
    """
    height, width = size
    if form == "jpeg":
        picture: Picture = simplejpeg.decode_jpeg(data)
    else:
        count = height * width * 3
        picture = np.frombuffer(data, np.uint8, count, len(data) - count).reshape(*size, 3)
    if picture.shape[:2] != size:
        raise ValueError(f"the picture is {picture.shape[1]} x {picture.shape[0]}")
    return picture


def size_of(jpeg: bytes) -> tuple[int, int]:
    """Height and width of a JPEG.

    Raises:
        ValueError: it is none.
    """
    height, width, *_ = simplejpeg.decode_jpeg_header(jpeg)
    return height, width
