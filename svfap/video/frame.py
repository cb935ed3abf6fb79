"""One decoded frame of a video, and its conversion to pixels."""

from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

import av
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter

from svfap.video.image import Image
from svfap.video.orientation import Orientation, orientation_of
from svfap.video.planes import Planes, luma_of, planes_of


@dataclass(frozen=True)
class Declared:
    """What a video says about itself.

    Attributes:
        fps: frames per second, on average if the rate varies.
        frames: number of frames; 0 if the file declares none.
        aspect: width of a pixel divided by its height.
    """

    fps: float
    frames: int = 0
    aspect: Fraction = Fraction(1)


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
        video: what the video says about itself.
        scalers: the converters of the video.
    """

    picture: av.VideoFrame
    video: Declared
    scalers: Scalers

    @property
    def seconds(self) -> float | None:
        """Second of the file at which the frame is shown."""
        return self.picture.time

    @cached_property
    def orientation(self) -> Orientation:
        """How the pixels must be turned and mirrored."""
        return orientation_of(self.picture)

    @cached_property
    def size(self) -> tuple[int, int]:
        """Width and height of the upright image with square pixels."""
        # The shorter direction is stretched, so that no pixels are lost.
        aspect = self.video.aspect
        width = round(self.picture.width * max(aspect, Fraction(1)))
        height = round(self.picture.height / min(aspect, Fraction(1)))
        return (height, width) if self.orientation.transposed else (width, height)

    def bgr(self, max_side: int | None = None) -> Image:
        """Convert to an upright BGR image, shape (height, width, 3).

        Args:
            max_side: shrink the image until neither side is longer than this.
        """
        shrink = min(1.0, max_side / max(self.size)) if max_side else 1.0
        width, height = (max(1, round(side * shrink)) for side in self.size)
        if self.orientation.transposed:  # scaling comes before turning
            width, height = height, width
        # At full size, only colours of fewer pixels are enlarged, as smoothly as by ffmpeg.
        method = "AREA" if shrink < 1 else "BICUBIC"
        # threads=1: by PyAV's default, libswscale chooses a number of threads itself.
        image = self.scalers.bgr.reformat(
            self.picture, width, height, "bgr24", interpolation=method, threads=1
        )
        return self.orientation.upright(np.asarray(image.to_ndarray(), dtype=np.uint8))

    def planes(self) -> Planes | None:
        """Return upright planes Y, U and V in the colours of the video, not to be changed.

        The pixels may not be square. None if the pixels have another format than YUV 4:2:0 with 8
        bits, or if the picture is turned by another angle than a right one.
        """
        planes = None if self.orientation.degrees else planes_of(self.picture)
        if planes is None or not any(self.orientation):
            return planes
        y, u, v = map(self.orientation.upright, planes)
        return y, u, v

    def luma(self, width: int, height: int) -> Image:
        """Convert to a small grey image of shape (height, width), not turned upright."""
        whole = luma_of(self.picture)
        if whole is not None:
            # Two rows of pixels for each row of the result give nearly the mean of all.
            step = max(1, self.picture.height // (2 * height))
            rows = whole[step // 2 :: step]
            small = cv2.resize(rows, (width, height), interpolation=cv2.INTER_AREA)
            return np.asarray(small, dtype=np.uint8)
        grey = self.scalers.luma.reformat(
            self.picture, width, height, "gray", interpolation="AREA", threads=1
        )
        return np.asarray(grey.to_ndarray(), dtype=np.uint8)
