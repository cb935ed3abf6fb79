"""The forms of a face clip in a shard: an AVI file of JPEGs, or a NumPy file of raw pixels.

`jpeg` is compact. `raw` holds the RGB pixels, about ten times as large and several times as fast to
read. Either is one file for each clip, with the frames inside one after the other.
"""

import io
import zlib
from collections.abc import Sequence
from tarfile import BLOCKSIZE
from typing import Literal, NamedTuple

import numpy as np
import simplejpeg

from svfap.shards import avi
from svfap.video.image import Image

FrameFormat = Literal["jpeg", "raw"]
SUFFIXES: dict[FrameFormat, str] = {"jpeg": "avi", "raw": "npy"}
# Layout of a clip, as the index names it -> number of bytes that each frame is padded to. In shards
# of earlier versions, `jpeg` and `raw`, each frame is a file of its own in the tar.
BLOCKS = {"avi": avi.BLOCK, "npy": 1, "jpeg": BLOCKSIZE, "raw": BLOCKSIZE}
RAW_LAYOUTS = ("npy", "raw")


class PackedClip(NamedTuple):
    """The file of a clip, and where its frames lie.

    Attributes:
        content: the file.
        first: position of the first frame's content.
        header: number of bytes before the content of each other frame.
        sizes: number of bytes of each frame's content, without padding.
        checksums: CRC-32 of each frame's content; none for raw pixels.
    """

    content: bytes
    first: int
    header: int
    sizes: list[int]
    checksums: list[int]


def pack(jpegs: Sequence[bytes], form: FrameFormat, fps: float) -> PackedClip:
    """Pack the JPEG frames of a clip, all of one size, into one file.

    Raises:
        ValueError: a JPEG is damaged or has another size.
    """
    if form == "jpeg":
        content, first = avi.avi(jpegs, jpeg_size(jpegs[0]), fps)
        return PackedClip(content, first, avi.HEADER, [*map(len, jpegs)], [*map(zlib.crc32, jpegs)])
    video = np.stack([simplejpeg.decode_jpeg(jpeg) for jpeg in jpegs])
    file = io.BytesIO()
    np.save(file, video)
    first = file.tell() - video.nbytes
    # A checksum of pixels would take as long as reading them.
    return PackedClip(file.getvalue(), first, 0, [video[0].nbytes] * len(video), [])


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
