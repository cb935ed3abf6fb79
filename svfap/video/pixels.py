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


def decode(jpeg: bytes | memoryview, picture: Picture) -> bool:
    """Decode a JPEG into an RGB picture (H, W, 3); whether it is whole and of that size."""
    try:
        decoded: Picture = simplejpeg.decode_jpeg(jpeg, buffer=picture)
    except ValueError:
        return False
    return decoded.shape == picture.shape


def size_of(jpeg: bytes) -> tuple[int, int]:
    """Height and width of a JPEG.

    Raises:
        ValueError: it is none.
    """
    height, width, *_ = simplejpeg.decode_jpeg_header(jpeg)
    return height, width
