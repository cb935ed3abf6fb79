"""The two formats of a face frame in a shard: JPEG, or raw pixels.

`jpeg` is compact. `raw` is a NumPy file of the RGB image, about ten times as large and several
times as fast to read.
"""

import io
from typing import Literal

import numpy as np
import simplejpeg

from svfap.video.image import Image

FrameFormat = Literal["jpeg", "raw"]
SUFFIXES: dict[FrameFormat, str] = {"jpeg": "jpg", "raw": "npy"}


def encode_frame(jpeg: bytes, form: FrameFormat) -> bytes:
    """Convert a JPEG frame to the format of a shard.

    Raises:
        ValueError: the JPEG is damaged.
    """
    if form == "jpeg":
        return jpeg
    file = io.BytesIO()
    np.save(file, simplejpeg.decode_jpeg(jpeg))
    return file.getvalue()


def decode_into(jpeg: bytes | memoryview, image: Image) -> bool:
    """Decode a JPEG to RGB (H, W, 3); return False if it is damaged or of another size."""
    try:
        decoded: Image = simplejpeg.decode_jpeg(jpeg, buffer=image)
    except ValueError:
        return False
    return decoded.shape == image.shape


def jpeg_size(jpeg: bytes) -> tuple[int, int]:
    """Return height and width of a JPEG.

    Raises:
        ValueError: the bytes are not a JPEG.
    """
    height, width, *_ = simplejpeg.decode_jpeg_header(jpeg)
    return height, width
