"""JPEG frames as one AVI file (Motion JPEG), which players, FFmpeg, OpenCV and torchcodec read.

The frames lie in the file as they are, each behind a header of `HEADER` bytes and padded to
`BLOCK` bytes. So a reader who knows the sizes of the frames finds each without reading the others.
"""

import struct
from collections.abc import Sequence

from svfap.video.rate import frame_rate

HEADER = 8  # bytes before the content of each frame: its name and size
BLOCK = 2  # a frame's content is padded to a multiple of this number of bytes
_HAS_INDEX = _KEY_FRAME = 0x10  # flags of Microsoft's `AVIMAINHEADER` and of an entry of `idx1`
_FRAME = b"00dc"  # "compressed picture of stream 0"


def avi(jpegs: Sequence[bytes], size: tuple[int, int], fps: float) -> tuple[bytes, int]:
    """Return an AVI file, and the position of the first frame's content in it.

    Args:
        jpegs: the frames, one or more.
        size: their height and width in pixels.
        fps: frames per second.
    """
    start = _list(b"hdrl", _headers(jpegs, size, fps))
    frames = b"".join(_chunk(_FRAME, jpeg) for jpeg in jpegs)
    entries, position = [], 4  # positions in `idx1` count from the word "movi"
    for jpeg in jpegs:
        entries.append(struct.pack("<4s3I", _FRAME, _KEY_FRAME, position, len(jpeg)))
        position += HEADER + len(jpeg) + len(jpeg) % BLOCK
    index = _chunk(b"idx1", b"".join(entries))
    content = _chunk(b"RIFF", b"AVI " + start + _list(b"movi", frames) + index)
    # Before the first frame: "RIFF", size, "AVI "; the headers; "LIST", size, "movi".
    return content, 12 + len(start) + 12 + HEADER


def _headers(jpegs: Sequence[bytes], size: tuple[int, int], fps: float) -> bytes:
    """Return the header of the file and the one of its only stream."""
    rate = frame_rate(fps)
    (height, width), count, largest = size, len(jpegs), max(map(len, jpegs))
    file = (round(1e6 / rate), 0, 0, _HAS_INDEX, count, 0, 1, largest, width, height, 0, 0, 0, 0)
    times = (0, rate.denominator, rate.numerator, 0, count, largest, 0xFFFFFFFF, 0)
    stream = struct.pack("<4s4sIHH8I4h", b"vids", b"MJPG", 0, 0, 0, *times, 0, 0, width, height)
    bitmap = (40, width, height, 1, 24, b"MJPG", 3 * width * height, 0, 0, 0, 0)
    picture = struct.pack("<3I2H4s5I", *bitmap)
    of_stream = _chunk(b"strh", stream) + _chunk(b"strf", picture)
    return _chunk(b"avih", struct.pack("<14I", *file)) + _list(b"strl", of_stream)


def _chunk(name: bytes, content: bytes) -> bytes:
    return b"".join(
        (name, struct.pack("<I", len(content)), content, b"\0" * (len(content) % BLOCK))
    )


def _list(kind: bytes, content: bytes) -> bytes:
    return _chunk(b"LIST", kind + content)
