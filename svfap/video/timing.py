"""Convert the frame times of a video to a constant frame rate.

Clips are read by frame number, so every second must have the same number of frames. A video of
constant rate keeps its frames one by one. A video of varying rate, or one to be converted to
another rate, is sampled on a regular grid: each point takes the frame shown at that time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from svfap.video.decode import Reject
from svfap.video.sampling import Indices

Times = NDArray[np.float64]

# At a constant rate, every frame is shown within this many frame durations of its place on the
# grid. Containers round time stamps, Matroska and FLV to milliseconds: 0.06 of a frame at 60 fps.
_STEADY = 0.75
_EPSILON = 0.05  # share of a frame duration by which rounding may move a time past a grid point
_ROUNDING = 0.02  # a varying rate within this share of a whole number counts as that number
_MOST_REPEATS = 1000  # grid points per frame of the video, on average; more means a wrong time
# In video of varying rate, the share of frames that may be shorter than a step of the grid.
_FASTEST = 0.1


@dataclass(frozen=True)
class Timing:
    """A video at a constant frame rate.

    Attributes:
        fps: frames per second.
        source: for each frame at this rate, the number of the video's frame; the numbers ascend,
            and a frame may repeat or be left out.
    """

    fps: float
    source: Indices


def on_grid(times: Sequence[float | None], *, fps: float, target: float | None = None) -> Timing:
    """Choose the frames of a video at a constant rate.

    Args:
        times: second at which each frame is shown; None where the file does not say.
        fps: frames per second that the file declares.
        target: frames per second to convert to; None keeps the video's own rate.

    Raises:
        Reject: nearly all of the result would be one frame, shown for very long.
    """
    shown = complete_times(times, fps)
    rate = _own_rate(shown, fps)
    if (target is None or target == rate) and _is_steady(shown, rate):
        return Timing(rate, np.arange(len(shown)))
    wanted = target or rate
    length = shown[-1] - shown[0] + 1 / rate
    if length * wanted > _MOST_REPEATS * len(shown):
        span = shown[-1] - shown[0]
        raise Reject(f"{len(shown)} frames for {span:.0f} s; its time stamps are wrong")
    points = shown[0] + np.arange(max(1, round(length * wanted))) / wanted
    # The frame shown at a point is the last whose time is not later. A time stamp that was rounded
    # up would hide its frame for one point; the epsilon makes up for that.
    source = np.searchsorted(shown, points + _EPSILON / wanted, side="right") - 1
    return Timing(wanted, source.astype(np.int64))


def complete_times(times: Sequence[float | None], fps: float) -> Times:
    """Return ascending times of all frames, from the rate if the file's are absent or unordered."""
    counted = np.arange(len(times)) / fps
    if any(time is None for time in times):
        return counted
    shown = np.array(times, dtype=np.float64)
    return shown if np.all(np.diff(shown) >= 0) else counted


def _own_rate(shown: Times, fps: float) -> float:
    """Return the frame rate of a video.

    It is the declared rate if the frames keep it, else their average if they keep that, else a rate
    that skips hardly any frame.
    """
    if len(shown) < 2 or shown[-1] <= shown[0] or _is_steady(shown, fps):
        return fps
    average = float((len(shown) - 1) / (shown[-1] - shown[0]))
    if _is_steady(shown, average):
        return average
    # For a varying rate, take the duration that 90 % of the frames have at least, but at most twice
    # the average rate, so that a few frames in quick succession do not multiply the clip's length.
    rate = 1 / max(float(np.quantile(np.diff(shown), _FASTEST)), 0.5 / average)
    whole = round(rate)
    return float(whole) if whole and abs(rate / whole - 1) < _ROUNDING else rate


def _is_steady(shown: Times, rate: float) -> bool:
    """Return whether every frame is shown near its place on the grid of a rate."""
    places = (shown - shown[0]) * rate - np.arange(len(shown))
    # This uses the range, not the largest value, because the first frame may be off its place.
    return bool(np.ptp(places) < 2 * _STEADY)
