"""Decode a video into frames, upright and with square pixels.

A folder of pictures is a video too; its frames are in the order of their numbers.

Decoding uses one thread and one frame at a time, so memory does not grow with the length of a
video. Any defect of the file itself raises `Reject`, whose message ends up in `rejects.csv`; any
other exception is a bug and is not caught.
"""

import contextlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from svfap.order import natural_key
from svfap.video.deinterlace import deinterlaced
from svfap.video.image import Image

logger = logging.getLogger(__name__)

FOLDER_RATE = 25.0  # frames per second of a folder of images, which has no rate of its own
_UNKNOWN_RATE = 25.0  # frames per second of a file that declares no rate
# This limits one frame: a small file can hold compressed frames that would fill the memory.
_MOST_PIXELS = 100_000_000
_IMAGE_NAMES = ".bmp .dib .jfif .jp2 .jpe .jpeg .jpg .pbm .pgm .png .ppm .tif .tiff .webp"
IMAGE_SUFFIXES = frozenset(_IMAGE_NAMES.split())


class Reject(Exception):
    """A video cannot be used; the message is the reason, without the file's name."""


@dataclass(frozen=True)
class Scalers:
    """Converters shared by all frames of a video.

    A `VideoReformatter` sets up its libswscale context when the sizes or formats change. That takes
    longer than converting a frame. With one reformatter for each kind of output, none has to
    change.
    """

    bgr: VideoReformatter = field(default_factory=VideoReformatter)
    luma: VideoReformatter = field(default_factory=VideoReformatter)


@dataclass(frozen=True)
class Frame:
    """One decoded frame, converted to pixels only when needed.

    Attributes:
        picture: the frame in the decoder's own pixel format, not turned upright.
        aspect: width of a pixel divided by its height.
        scalers: the converters of the video.
    """

    picture: av.VideoFrame
    aspect: Fraction
    scalers: Scalers

    @property
    def seconds(self) -> float | None:
        """Second at which the frame is shown; None if the file does not say."""
        return self.picture.time

    @property
    def turns(self) -> int:
        """Quarter turns, anticlockwise, that turn the picture upright.

        FFmpeg decodes the pixels as they were recorded. Only the frame's display matrix says that a
        phone was held sideways.
        """
        return round(self.picture.rotation / 90)

    @cached_property
    def size(self) -> tuple[int, int]:
        """Width and height of the upright image with square pixels."""
        # The shorter direction is stretched, so that no pixels are lost.
        width = round(self.picture.width * max(self.aspect, Fraction(1)))
        height = round(self.picture.height / min(self.aspect, Fraction(1)))
        return (height, width) if self.turns % 2 else (width, height)

    def bgr(self, max_side: int | None = None) -> Image:
        """Convert to an upright BGR image, shape (height, width, 3).

        Args:
            max_side: shrink the image until neither side is longer than this.
        """
        shrink = min(1.0, max_side / max(self.size)) if max_side else 1.0
        width, height = (max(1, round(side * shrink)) for side in self.size)
        if self.turns % 2:  # scaling comes before turning
            width, height = height, width
        # threads=1: by PyAV's default, libswscale chooses a number of threads itself.
        image = self.scalers.bgr.reformat(
            self.picture, width, height, "bgr24", interpolation="AREA", threads=1
        )
        upright = np.rot90(image.to_ndarray(), self.turns)
        return np.ascontiguousarray(upright, dtype=np.uint8)

    def luma(self, width: int, height: int) -> Image:
        """Convert to a small grey image of shape (height, width), not turned upright."""
        grey = self.scalers.luma.reformat(
            self.picture, width, height, "gray", interpolation="AREA", threads=1
        )
        return np.asarray(grey.to_ndarray(), dtype=np.uint8)


def frame_rate(path: Path) -> float:
    """Return the frames per second that a file declares, on average if the rate varies.

    The rate of a folder of images is `FOLDER_RATE`.

    Raises:
        Reject: the file is missing, empty, or not a video.
    """
    if path.is_dir():
        return FOLDER_RATE
    with _opened(path) as (_, stream):
        rate = stream.average_rate or stream.guessed_rate
        return float(rate) if rate else _UNKNOWN_RATE


def declared_frames(path: Path) -> int:
    """Return the number of frames that a file declares; 0 if it declares none.

    Raises:
        Reject: the file is missing, empty, or not a video.
    """
    if path.is_dir():
        return len(_images(path))
    with _opened(path) as (container, stream):
        rate = stream.average_rate or stream.guessed_rate
        seconds = _declared_seconds(container, stream)
        # Matroska and FLV do not store a number of frames; it is estimated from the duration.
        return stream.frames or round(seconds * float(rate or 0))


def _declared_seconds(container: InputContainer, stream: VideoStream) -> float:
    """Return how long a file says that its pictures last; 0 if it does not say.

    The length of the whole file says that only if the file has no sound, which may go on after the
    last picture.
    """
    # Matroska has "00:00:09.200000000", and the length of the whole file as the stream's duration.
    parts = stream.metadata.get("DURATION", "").split(":")
    if len(parts) == 3:
        with contextlib.suppress(ValueError):
            hours, minutes, seconds = map(float, parts)
            return 3600 * hours + 60 * minutes + seconds
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return 0.0 if container.streams.audio else (container.duration or 0) / av.time_base


def read_frames(path: Path) -> Iterator[Frame]:
    """Yield the frames of a video in the order in which they are shown, deinterlaced.

    A file that is damaged or cut short ends at the damage, with a warning; the frames before it are
    used.

    Raises:
        Reject: the file is missing, empty, not a video, or holds no frame that decodes.
    """
    if path.is_dir():
        yield from _read_folder(path)
        return
    with _opened(path) as (container, stream):
        count = 0
        aspect = stream.sample_aspect_ratio or Fraction(1)
        scalers = Scalers()
        try:
            for picture in deinterlaced(container.decode(stream), stream):
                count += 1
                yield Frame(picture, aspect, scalers)
        except FFmpegError as error:
            if count == 0:
                raise Reject(f"cannot be decoded ({error.strerror})") from None
            logger.warning("%s: damaged after frame %d (%s)", path, count, error.strerror)
        if count == 0:
            raise Reject("no frame in its video stream")


def _read_folder(path: Path) -> Iterator[Frame]:
    """Yield the images of a folder that decode, each at the time of its place in the folder."""
    images = _images(path)
    if not images:
        raise Reject("no picture in its folder")
    scalers = Scalers()
    damaged = []
    for number, name in enumerate(images):
        image = cv2.imread(str(path / name), cv2.IMREAD_COLOR)
        if image is None:
            damaged.append(name)
            continue
        picture = av.VideoFrame.from_ndarray(np.asarray(image, dtype=np.uint8), format="bgr24")
        picture.pts, picture.time_base = number, 1 / Fraction(FOLDER_RATE)
        yield Frame(picture, Fraction(1), scalers)
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
def _opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a file; yield its container and its first video stream, to be decoded by one thread."""
    with _open_container(path) as container:
        if not container.streams.video:
            raise Reject("no video stream (audio only?)")
        stream = container.streams.video[0]
        if stream.codec_context is None:  # PyAV's way to say that FFmpeg has no decoder for it
            raise Reject("its video codec is not known to FFmpeg")
        width, height = stream.codec_context.width, stream.codec_context.height
        if width * height > _MOST_PIXELS:
            raise Reject(f"frames of {width} x {height} pixels, at most {_MOST_PIXELS:,} are read")
        # Videos are cropped by one process per core, where more threads would only compete.
        stream.codec_context.thread_count = 1
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
        # The protocol "file:" keeps FFmpeg from taking a name such as "concat:a.mp4" for a URL.
        # Some recorders write names and places in other encodings than UTF-8.
        return av.open(f"file:{path.absolute()}", metadata_errors="replace")
    except FFmpegError as error:
        raise Reject(f"not a readable video ({error.strerror})") from None
    except OSError as error:
        raise Reject(f"cannot be read ({error.strerror})") from None
