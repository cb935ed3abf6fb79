"""Decode a video into frames, upright and with square pixels.

A folder of pictures is a video too; its frames are in the order of their numbers.

Decoding uses one thread and one frame at a time, so memory does not grow with the length of a
video. Any defect of the file itself raises `Reject`, whose message ends up in `rejects.csv`; any
other exception is a bug and is not caught.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import numpy as np
from av.codec.context import Flags as CodecFlags
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from svfap.order import natural_key
from svfap.video.clock import Clock
from svfap.video.declared import declared_by, rate_of
from svfap.video.decoder import Decoder
from svfap.video.deinterlace import deinterlaced
from svfap.video.frame import Declared, Frame, Scalers
from svfap.video.opening import open_container
from svfap.video.streams import choose, video_streams

logger = logging.getLogger(__name__)

FOLDER_RATE = 25.0  # frames per second of a folder of images, which has no rate of its own
# This limits one frame: a small file can hold compressed frames that would fill the memory.
_MOST_PIXELS = 100_000_000
_GUESS_TIMES = 1  # FFmpeg's flag AVFMT_FLAG_GENPTS
# FFmpeg's numbers of the spaces of colours that it converts: RGB, BT.709, not named, BT.601.
_SPACES = {0, 1, 2, 5, 6}
_IMAGE_NAMES = ".bmp .dib .jfif .jp2 .jpe .jpeg .jpg .pbm .pgm .png .ppm .tif .tiff .webp"
IMAGE_SUFFIXES = frozenset(_IMAGE_NAMES.split())


class Reject(Exception):
    """A video cannot be used; the message is the reason, without the file's name."""


def declared(path: Path, stream: int | None = None) -> Declared:
    """Return what a video says about itself; a folder of images has `FOLDER_RATE`.

    Raises:
        Reject: the file is missing, empty, or not a video.
    """
    if path.is_dir():
        return Declared(FOLDER_RATE, len(_images(path)))
    with _opened(path, stream) as (container, source):
        return declared_by(container, source)


class StreamPlace(NamedTuple):
    """Where the video is in a file.

    Attributes:
        number: number of its stream among all streams of the file.
        has_index: whether the file lists its key frames, so that a jump to a second is exact.
    """

    number: int
    has_index: bool


def find_stream(path: Path) -> StreamPlace:
    """Find the video that `read_frames` reads, for another program.

    Raises:
        Reject: the file is missing, empty, or not a video.
    """
    with _opened(path, None) as (container, source):
        names = container.format.name.split(",")
        return StreamPlace(source.index, "mp4" in names or "matroska" in names)


def read_frames(path: Path, stream: int | None = None) -> Iterator[Frame]:
    """Yield the frames of a video in the order in which they are shown, deinterlaced.

    Damaged frames are left out, with a warning; the frames before them are shown longer.

    Args:
        path: the video.
        stream: number of the video stream, see `svfap.video.streams.choose`.

    Raises:
        Reject: the file is missing, empty, not a video, or holds no frame that decodes.
    """
    if path.is_dir():
        yield from _read_folder(path)
        return
    with _opened(path, stream) as (container, source):
        video, scalers = declared_by(container, source), Scalers()
        decoder = Decoder(container, source, Clock(container, source, rate_of(source)))
        for number, picture in enumerate(deinterlaced(decoder)):
            frame = Frame(picture, video, scalers)
            if number == 0:
                _check_colours(frame)
            yield frame
    count, reason = decoder.first_error
    if decoder.pictures == 0:
        raise Reject(f"cannot be decoded ({reason})" if reason else "no frame in its video stream")
    if decoder.errors:
        logger.warning(
            "%s: damaged after frame %d (%s); %d packets are left out",
            *(path, count, reason, decoder.errors),
        )


def _check_colours(frame: Frame) -> None:
    """Reject a video in a space of colours that FFmpeg does not convert, such as YCgCo."""
    if frame.picture.colorspace not in _SPACES:
        try:
            frame.bgr(1)
        except FFmpegError as error:
            reason = f"its colours cannot be converted ({error.strerror})"
            raise Reject(reason) from None


def _read_folder(path: Path) -> Iterator[Frame]:
    """Yield the images of a folder that decode, each at the time of its place in the folder."""
    images = _images(path)
    if not images:
        raise Reject("no picture in its folder")
    video, scalers = Declared(FOLDER_RATE, len(images)), Scalers()
    damaged = []
    for number, name in enumerate(images):
        image = cv2.imread(str(path / name), cv2.IMREAD_COLOR)
        if image is None:
            damaged.append(name)
            continue
        picture = av.VideoFrame.from_ndarray(np.asarray(image, dtype=np.uint8), format="bgr24")
        picture.pts, picture.time_base = number, 1 / Fraction(FOLDER_RATE)
        yield Frame(picture, video, scalers)
    if len(damaged) == len(images):
        raise Reject(f"none of its {len(images)} frames can be decoded, such as {damaged[0]}")
    if damaged:
        logger.warning(
            "%s: %d of %d frames cannot be decoded, such as %s; the frames before them are shown"
            " longer",
            *(path, len(damaged), len(images), damaged[0]),
        )


def _images(path: Path) -> list[str]:
    """Return the names of the images in a folder, in the order of their numbers."""
    # Skip names with a leading dot: macOS puts a file "._frame1.jpg" beside each image on other
    # disks.
    names = (entry.name for entry in os.scandir(path) if not entry.name.startswith("."))
    return sorted(
        (name for name in names if Path(name).suffix.lower() in IMAGE_SUFFIXES), key=natural_key
    )


@contextmanager
def _opened(path: Path, number: int | None) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a file; yield its container and its video stream, to be decoded by one thread."""
    with _open_container(path) as container:
        stream = choose(container.streams.video, number)
        if stream is None:
            count = len(video_streams(container.streams.video))
            raise Reject(
                f"no video stream {number}; it has {count}, counted from 0"
                if count
                else "no video stream (audio only?)"
            )
        if stream.codec_context is None:  # PyAV's way to say that FFmpeg has no decoder for it
            raise Reject("its video codec is not known to FFmpeg")
        width, height = stream.codec_context.width, stream.codec_context.height
        if width * height > _MOST_PIXELS:
            raise Reject(f"frames of {width} x {height} pixels, at most {_MOST_PIXELS:,} are read")
        # Videos are cropped by one process per core, where more threads would only compete.
        stream.codec_context.thread_count = 1
        # FFmpeg otherwise cuts off less at the left than the file says, for the sake of speed.
        stream.codec_context.flags |= int(CodecFlags.unaligned)
        # The header may lie: this makes the decoder itself refuse larger frames later on.
        stream.codec_context.options = {"max_pixels": str(_MOST_PIXELS)}
        yield container, stream


def _open_container(path: Path) -> InputContainer:
    """Open a file.

    Raises:
        Reject: it is missing, empty, or not a video.
    """
    try:
        if not path.exists():
            raise Reject("no such file")
        if not path.is_file():
            raise Reject("not a file")
        if path.stat().st_size == 0:
            raise Reject("empty file (0 bytes)")
        container = open_container(path)
        # PyAV's default makes FFmpeg invent times of showing, which are wrong for B-frames in AVI.
        container.flags &= ~_GUESS_TIMES
        return container
    except FFmpegError as error:
        raise Reject(f"not a readable video ({error.strerror})") from None
    except OSError as error:
        raise Reject(f"cannot be read ({error.strerror})") from None
