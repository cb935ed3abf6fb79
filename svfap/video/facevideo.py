"""Face clips on disk: Motion JPEG in Matroska, one JPEG per packet.

Every frame is a picture of its own, so any player shows the clip, any frame is reached without
decoding its neighbours, and sharding copies the JPEG bytes as they are.
"""

from collections.abc import Iterable
from contextlib import closing
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


class FaceVideoWriter:
    """Writes square JPEGs as the frames of a video; the same frames give the same bytes.

    Args:
        path: the file to write; overwritten if it exists.
        fps: frames per second.
        size: side of a frame in pixels.

    Raises:
        OSError: the file cannot be written.
    """

    def __init__(self, path: Path, *, fps: float, size: int) -> None:
        self.count = 0
        self._rate = Fraction(fps).limit_denominator(_LARGEST_DENOMINATOR)
        self._container = av.open(str(path), "w", format="matroska", container_options=_BITEXACT)
        self._stream = self._container.add_mux_stream(
            "mjpeg", rate=self._rate, width=size, height=size
        )

    def add(self, jpeg: bytes) -> None:
        """Append a frame."""
        packet = av.Packet(jpeg)
        packet.stream = self._stream
        packet.time_base = 1 / self._rate
        packet.pts = packet.dts = self.count
        packet.duration = 1
        packet.is_keyframe = True
        self._container.mux(packet)
        self.count += 1

    def close(self) -> None:
        """Finish the file."""
        self._container.close()


def write_face_video(path: Path, jpegs: Iterable[bytes], *, fps: float, size: int) -> int:
    """Write JPEGs of size x size pixels as a whole video; return the number of frames.

    Raises:
        OSError: the file cannot be written.
    """
    with closing(FaceVideoWriter(path, fps=fps, size=size)) as writer:
        for jpeg in jpegs:
            writer.add(jpeg)
    return writer.count


def read_jpegs(path: Path) -> list[bytes]:
    """The JPEGs of a face clip, byte for byte as they were written.

    Raises:
        FFmpegError: the file is missing or not a video.
    """
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]
