"""A video in memory: an array of RGB frames, read like a file."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
import torch
from numpy.typing import NDArray

from svfap.errors import SvfapError
from svfap.use.options import is_positive
from svfap.video.frame import Declared, Frame, Scalers

_SHAPE = "(T, H, W, 3): time, height, width, RGB"
_LEAST_RATE, _HIGHEST_RATE = 0.01, 10_000  # FFmpeg's fractions hold any rate between these


@dataclass(frozen=True)
class FrameArray:
    """The frames of a video, which can be read several times.

    Attributes:
        frames: RGB frames (T, H, W, 3).
        fps: frames per second.
        name: name in tables and messages.
    """

    frames: NDArray[np.uint8]
    fps: float
    name: str = "frames"
    stream: None = None  # a file may have several; see `svfap.video.replay.Replay`

    def __str__(self) -> str:
        """Return the name."""
        return self.name

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.frames)

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames at even times, the first at 0."""
        video, scalers = Declared(self.fps, len(self)), Scalers()
        rate = Fraction(self.fps).limit_denominator(100_000)
        for number, image in enumerate(self.frames):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            picture.pts, picture.time_base = number, 1 / rate
            yield Frame(picture, video, scalers)


def check_rate(fps: object) -> float:
    """Return the frames per second of arrays.

    Raises:
        SvfapError: it is missing, or no sensible number.
    """
    if fps is None:
        raise SvfapError("an array of frames does not say its rate; give fps=, frames per second")
    if not is_positive(fps) or not _LEAST_RATE <= fps <= _HIGHEST_RATE:
        raise SvfapError(
            f"fps is {fps!r}; take frames per second from {_LEAST_RATE} to {_HIGHEST_RATE}"
        )
    return float(fps)


def check_frames(given: NDArray[np.generic] | torch.Tensor) -> NDArray[np.uint8]:
    """Return frames that a user gave as an array or a tensor.

    Raises:
        SvfapError: the array is empty, or has another shape or type than frames.
    """
    shape = tuple(given.shape)
    if len(shape) != 4 or shape[3] != 3:
        advice = f"give {_SHAPE}"
        if len(shape) == 3:
            advice += "; stack single pictures with np.stack"
        elif len(shape) == 4 and 3 in shape[:2]:
            advice += "; move the axis of colours to the end"
        raise SvfapError(f"frames have the shape {shape}; {advice}")
    if 0 in shape:
        raise SvfapError(f"frames have the shape {shape}, which is empty; give at least one frame")
    if given.dtype not in (np.uint8, torch.uint8):
        raise SvfapError(
            f"frames have the type {given.dtype}; give uint8 from 0 to 255, and multiply values"
            " from 0 to 1 by 255 first"
        )
    if isinstance(given, torch.Tensor):
        if given.layout != torch.strided or given.is_meta:
            raise SvfapError("frames are a sparse or empty tensor; give a dense one with values")
        given = given.cpu().numpy()
    frames = np.asarray(given, np.uint8)
    if frames.max() <= 1:
        raise SvfapError(
            "frames have no value above 1; give uint8 from 0 to 255, and multiply values from 0 to"
            " 1 by 255 before the conversion"
        )
    return frames
