"""Decoding: a video file as a stream of pictures, upright and with square pixels.

A folder of JPEG or PNG frames is a video too, its frames in the order of their numbers.

One thread and one frame at a time, so memory does not grow with the length of a video. Whatever is
wrong with the file itself is a `Reject`, a verdict on one video that is written down beside its
name; anything else that goes wrong is a bug and is not caught.
"""

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
from numpy.typing import NDArray

from svfap.order import natural_key
from svfap.video.deinterlace import deinterlaced

logger = logging.getLogger(__name__)

Image = NDArray[np.uint8]

FOLDER_RATE = 25.0
_UNKNOWN_RATE = 25.0
_MOST_PIXELS = 100_000_000  # of a frame; a small file may claim, and hold, as much as it likes
_PICTURES = frozenset({".jpg", ".jpeg", ".png"})


class Reject(Exception):
    """This video cannot be used; the message is the reason, without the file's name."""


@dataclass(frozen=True)
class Scalers:
    """Converters that all frames of a video share: to make one takes longer than to use it."""

    bgr: VideoReformatter = field(default_factory=VideoReformatter)
    luma: VideoReformatter = field(default_factory=VideoReformatter)


@dataclass(frozen=True)
class Frame:
    """One decoded frame, converted to pixels only where they are wanted.

    Attributes:
        picture: the frame as the decoder left it.
        aspect: width of a pixel over its height.
        scalers: those of the video.
    """

    picture: av.VideoFrame
    aspect: Fraction
    scalers: Scalers

    @property
    def seconds(self) -> float | None:
        """When it is shown; None where the file does not tell."""
        return self.picture.time

    @property
    def turns(self) -> int:
        """Quarter turns, anticlockwise, that bring the picture upright."""
        return round(self.picture.rotation / 90)

    @cached_property
    def size(self) -> tuple[int, int]:
        """Width and height of the upright picture with square pixels."""
        width = round(self.picture.width * max(self.aspect, Fraction(1)))
        height = round(self.picture.height / min(self.aspect, Fraction(1)))
        return (height, width) if self.turns % 2 else (width, height)

    def bgr(self, max_side: int | None = None) -> Image:
        """The upright picture, shape (height, width, 3).

        Args:
            max_side: shrink the picture until neither side is longer than this.
        """
        shrink = min(1.0, max_side / max(self.size)) if max_side else 1.0
        width, height = (max(1, round(side * shrink)) for side in self.size)
        if self.turns % 2:
            width, height = height, width
        image = self.scalers.bgr.reformat(
            self.picture, width, height, "bgr24", interpolation="AREA", threads=1
        )
        upright = np.rot90(image.to_ndarray(), self.turns)
        return np.ascontiguousarray(upright, dtype=np.uint8)

    def luma(self, width: int, height: int) -> Image:
        """Brightness as a small picture of shape (height, width), not turned upright."""
        grey = self.scalers.luma.reformat(
            self.picture, width, height, "gray", interpolation="AREA", threads=1
        )
        return np.asarray(grey.to_ndarray(), dtype=np.uint8)


def frame_rate(path: Path) -> float:
    """Frames per second, the average where the rate varies; `FOLDER_RATE` of a folder of frames.

    Raises:
        Reject: the file is missing, empty, or not a video.
    """
    if path.is_dir():
        return FOLDER_RATE
    with _opened(path) as (_, stream):
        rate = stream.average_rate or stream.guessed_rate
        return float(rate) if rate else _UNKNOWN_RATE


def declared_frames(path: Path) -> int:
    """The number of frames that a file claims to hold; 0 where it does not tell.

    Raises:
        Reject: the file is missing, empty, or not a video.
    """
    if path.is_dir():
        return 0
    with _opened(path) as (container, stream):
        rate = stream.average_rate or stream.guessed_rate
        seconds = (container.duration or 0) / av.time_base
        return stream.frames or round(seconds * float(rate or 0))


def read_frames(path: Path) -> Iterator[Frame]:
    """Yield the frames of a video in the order in which they are shown, deinterlaced.

    A file that is damaged or cut off somewhere ends there; what came before is kept.

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
    """Yield the pictures of a folder, up to the first that is damaged."""
    names = (entry.name for entry in os.scandir(path) if not entry.name.startswith("."))
    pictures = sorted((n for n in names if Path(n).suffix.lower() in _PICTURES), key=natural_key)
    if not pictures:
        raise Reject("no .jpg or .png frame in its folder")
    scalers = Scalers()
    for number, name in enumerate(pictures):
        image = cv2.imread(str(path / name), cv2.IMREAD_COLOR)
        if image is None:
            if number == 0:
                raise Reject(f"frame {name} cannot be decoded")
            logger.warning("%s: damaged after frame %d (%s)", path, number, name)
            return
        pixels = np.asarray(image, dtype=np.uint8)
        yield Frame(av.VideoFrame.from_ndarray(pixels, format="bgr24"), Fraction(1), scalers)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container of a file and its first video stream, decoded by one thread."""
    with _container(path) as container:
        if not container.streams.video:
            raise Reject("no video stream (audio only?)")
        stream = container.streams.video[0]
        if stream.codec_context is None:
            raise Reject("its video codec is not known to FFmpeg")
        width, height = stream.codec_context.width, stream.codec_context.height
        if width * height > _MOST_PIXELS:
            raise Reject(f"frames of {width} x {height} pixels, at most {_MOST_PIXELS:,} are read")
        stream.codec_context.thread_count = 1
        stream.codec_context.options = {"max_pixels": str(_MOST_PIXELS)}
        yield container, stream


def _container(path: Path) -> InputContainer:
    """Open a file that ought to be a video."""
    try:
        if not path.exists():
            raise Reject("no such file")
        if not path.is_file():
            raise Reject("not a file")
        if path.stat().st_size == 0:
            raise Reject("empty file (0 bytes)")
        return av.open(f"file:{path.absolute()}")
    except FFmpegError as error:
        raise Reject(f"not a readable video ({error.strerror})") from None
    except OSError as error:
        raise Reject(f"cannot be read ({error.strerror})") from None
