"""Face clips on disk: Motion JPEG in Matroska, one JPEG per packet.

Every frame is a picture of its own, so any player shows the clip, any frame is reached without
decoding its neighbours, and sharding copies the JPEG bytes as they are.
"""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import cv2

from svfap.video.decode import Image

_BITEXACT = {"fflags": "bitexact"}
_LARGEST_DENOMINATOR = 1001


def encode_jpeg(image: Image, *, quality: int) -> bytes:
    """One BGR picture as a JPEG with 4:2:0 chroma; quality is 1 to 100."""
    options = [
        cv2.IMWRITE_JPEG_QUALITY, quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    ]  # fmt: skip
    _, data = cv2.imencode(".jpg", image, options)
    return data.tobytes()


def write_face_video(path: Path, jpegs: Iterable[bytes], *, fps: float, size: int) -> int:
    """Write square JPEGs as the frames of a video; the same frames give the same bytes.

    Args:
        path: the file to write; overwritten if it exists.
        jpegs: the frames, each a JPEG of size x size pixels.
        fps: frames per second.
        size: side of a frame in pixels.

    Returns:
        The number of frames.

    Raises:
        OSError: the file cannot be written.
    """
    rate = Fraction(fps).limit_denominator(_LARGEST_DENOMINATOR)
    count = 0
    with av.open(str(path), "w", format="matroska", container_options=_BITEXACT) as container:
        stream = container.add_mux_stream("mjpeg", rate=rate, width=size, height=size)
        for data in jpegs:
            packet = av.Packet(data)
            packet.stream = stream
            packet.time_base = 1 / rate
            packet.pts = packet.dts = count
            packet.duration = 1
            packet.is_keyframe = True
            container.mux(packet)
            count += 1
    return count


def read_jpegs(path: Path) -> list[bytes]:
    """The JPEGs of a face clip, byte for byte as they were written.

    Raises:
        FFmpegError: the file is missing or not a video.
    """
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]
