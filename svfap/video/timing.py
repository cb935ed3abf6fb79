"""When frames are shown: a constant frame rate out of any that a file has.

Clips are read by frame number, so a second must always hold the same number of frames. A video of
constant rate keeps its frames one by one; one whose rate varies, or one that is wanted at another
rate, is sampled on a regular grid, each point of which takes the frame that is shown then.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from svfap.video.decode import Reject

Numbers = NDArray[np.int64]
Times = NDArray[np.float64]

_STEADY = 0.75  # frames of a constant rate lie this close to their place, in frames
_EPSILON = 0.05  # of a frame: what rounding a time stamp may take away
_ROUNDING = 0.02  # a varying rate this close to a whole number is that number
_MOST_REPEATS = 1000  # points of the grid for each frame of the video, on average
_NEARLY_ALL = 0.1  # share of the frames that a varying rate may be too slow for


@dataclass(frozen=True)
class Timing:
    """The frames that are kept of a video.

    Attributes:
        fps: frames per second of what is kept.
        source: the number of the video's frame that is shown at each point, ascending.
    """

    fps: float
    source: Numbers


def on_grid(times: Sequence[float | None], *, fps: float, target: float | None = None) -> Timing:
    """Choose the frames that are kept.

    Args:
        times: when each frame is shown in seconds; None where the file does not tell.
        fps: frames per second that the file claims.
        target: frames per second that are wanted; None: the video's own.

    Raises:
        Reject: nearly all that would be kept is one frame, shown for very long.
    """
    shown = _complete(times, fps)
    rate = _rate(shown, fps)
    if (target is None or target == rate) and _is_steady(shown, rate):
        return Timing(rate, np.arange(len(shown)))
    wanted = target or rate
    length = shown[-1] - shown[0] + 1 / rate
    if length * wanted > _MOST_REPEATS * len(shown):
        span = shown[-1] - shown[0]
        raise Reject(f"{len(shown)} frames for {span:.0f} s; its time stamps are wrong")
    points = shown[0] + np.arange(max(1, round(length * wanted))) / wanted
    source = np.searchsorted(shown, points + _EPSILON / wanted, side="right") - 1
    return Timing(wanted, source.astype(np.int64))


def _complete(times: Sequence[float | None], fps: float) -> Times:
    """Ascending times of all frames, counted off where the file has none."""
    counted = np.arange(len(times)) / fps
    if any(time is None for time in times):
        return counted
    shown = np.array(times, dtype=np.float64)
    return shown if np.all(np.diff(shown) >= 0) else counted


def _rate(shown: Times, fps: float) -> float:
    """The claimed rate if frames keep it, else their own, else one that loses hardly any."""
    if len(shown) < 2 or shown[-1] <= shown[0] or _is_steady(shown, fps):
        return fps
    average = float((len(shown) - 1) / (shown[-1] - shown[0]))
    if _is_steady(shown, average):
        return average
    usual = 1 / max(float(np.quantile(np.diff(shown), _NEARLY_ALL)), 0.5 / average)
    whole = round(usual)
    return float(whole) if whole and abs(usual / whole - 1) < _ROUNDING else usual


def _is_steady(shown: Times, rate: float) -> bool:
    """Whether every frame lies near its place on the grid of its rate."""
    places = (shown - shown[0]) * rate - np.arange(len(shown))
    return bool(np.ptp(places) < 2 * _STEADY)
