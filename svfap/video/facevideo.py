"""Read and write face clips on disk: Motion JPEG in Matroska, one JPEG per packet.

Any player shows the clip. Every frame is compressed by itself, so a frame is read without decoding
its neighbours, and the stage `shard` copies the JPEG bytes unchanged.
"""

import io
import zlib
from collections.abc import Iterable
from contextlib import closing
from itertools import chain
from pathlib import Path

import av
import cv2
import simplejpeg

from svfap.errors import SvfapError
from svfap.video.planes import JpegPlanes, Picture
from svfap.video.rate import frame_rate

# FFmpeg otherwise writes its version, the date and a random id into the file.
_BITEXACT = {"fflags": "bitexact"}


def encode_jpeg(picture: Picture, *, quality: int) -> bytes:
    """Encode a BGR image or planes as a JPEG with 4:2:0 chroma; quality is 1 to 100."""
    if isinstance(picture, JpegPlanes):
        data: bytes = simplejpeg.encode_jpeg_yuv_planes(*picture, quality=quality)
        return data
    options = {
        cv2.IMWRITE_JPEG_QUALITY: quality,
        # OpenCV's default today is given here so that another version writes the same bytes.
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR: cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    }
    _, encoded = cv2.imencode(".jpg", picture, [*chain.from_iterable(options.items())])
    return encoded.tobytes()


class FaceVideoWriter:
    """Writes square JPEGs as the frames of a video; the same frames give the same file.

    Args:
        path: the file to write; overwritten if it exists.
        fps: frames per second.
        size: side of a frame in pixels.

    Raises:
        OSError: the file cannot be written.
    """

    def __init__(self, path: Path, *, fps: float, size: int) -> None:
        self.count = 0
        self._rate = frame_rate(fps)
        self._container = av.open(str(path), "w", format="matroska", container_options=_BITEXACT)
        # The stream needs no encoder, because the packets are JPEGs already.
        self._stream = self._container.add_mux_stream(
            "mjpeg", rate=self._rate, width=size, height=size
        )

    def add(self, jpeg: bytes) -> None:
        """Append a frame."""
        packet = av.Packet(jpeg)
        packet.stream = self._stream
        # Times are in units of one frame; FFmpeg converts them to Matroska's milliseconds. There
        # are no B-frames, so the order of decoding (dts) is the order of showing (pts).
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
    """Write all frames of a video, JPEGs of size x size pixels; return their number.

    Raises:
        OSError: the file cannot be written.
    """
    with closing(FaceVideoWriter(path, fps=fps, size=size)) as writer:
        for jpeg in jpegs:
            writer.add(jpeg)
    return writer.count


def checksum(content: bytes) -> str:
    """Return the CRC-32 of a face clip's file, in hexadecimal digits."""
    return f"{zlib.crc32(content):08x}"


def read_jpegs(path: Path, expected: str = "") -> list[bytes]:
    """Return the JPEGs of a face clip, byte for byte as they were written.

    Args:
        path: the face clip.
        expected: its checksum; empty if unknown. A JPEG with a wrong bit shows another picture,
            and no decoder complains.

    Raises:
        SvfapError: the file has another checksum.
        OSError: the file is missing.
        FFmpegError: the file is not a video.
    """
    content = path.read_bytes()
    if expected and checksum(content) != expected:
        raise SvfapError(
            f"{path}: changed since it was cropped; delete it and clips.csv beside its folder, and"
            " run again"
        )
    with av.open(io.BytesIO(content), "r") as container:
        # PyAV ends a demuxed stream with an empty packet, which flushes decoders.
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]
