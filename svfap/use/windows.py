"""Place windows, the frames of a face that one prediction covers, and gather their frames.

Frames are sampled as in testing: a window has every `step`-th frame of the clip, as many as the
model takes. A clip shorter than a window repeats its last frame. The step spans the same time as in
training, also in a video of another frame rate.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np

from svfap.video.image import Image
from svfap.video.resize import Frames
from svfap.video.sampling import Indices


@dataclass(frozen=True)
class WindowGrid:
    """Places of the windows in one clip.

    Attributes:
        sampled: indices of the sampled frames, ascending; the last one may repeat.
        starts: index in `sampled` of each window's first frame.
        frames: number of sampled frames in each window.
        step: number of frames of the clip from one sampled frame to the next.
        padded: whether the clip is shorter than a window.
    """

    sampled: Indices
    starts: tuple[int, ...]
    frames: int
    step: float
    padded: bool


class Window(NamedTuple):
    """One window with its frames.

    Attributes:
        clip: index of the clip.
        number: index of the window in the clip.
        frames: RGB frames (T, H, W, 3).
    """

    clip: int
    number: int
    frames: Frames


def place_windows(length: int, *, frames: int, step: float, hop: float) -> WindowGrid:
    """Place windows over a clip; the last of several ends with the clip, unless none overlap.

    Args:
        length: number of frames of the clip.
        frames: number of frames in a window.
        step: number of frames of the clip from one sampled frame to the next.
        hop: number of frames of the clip from one window to the next, rounded to whole steps. If
            it is at least a window, windows do not overlap, and the frames left over at the end
            are in no window.
    """
    sampled = np.arange(0, length, step).astype(np.int64)
    missing = max(frames - len(sampled), 0)
    sampled = np.concatenate((sampled, np.full(missing, length - 1)))
    last = len(sampled) - frames
    every = max(1, round(min(hop, length) / step))
    starts = [*range(0, last + 1, every)]
    if every >= frames:
        return WindowGrid(sampled, tuple(starts), frames, step, missing > 0)
    # Frames left over at the end get a window of their own only if they fill half a hop. Otherwise
    # the last window moves to the end, so that no two windows are almost the same.
    if last - starts[-1] > every / 2:
        starts.append(last)
    elif len(starts) > 1:
        starts[-1] = last
    return WindowGrid(sampled, tuple(starts), frames, step, missing > 0)


def gather_windows(
    pictures: Iterable[tuple[int, Image]], grids: Sequence[WindowGrid]
) -> Iterator[Window]:
    """Yield each window of several clips as soon as its last frame has come.

    Args:
        pictures: index of a clip and its next sampled frame, (H, W, 3).
        grids: the windows of each clip.
    """
    held = [deque[Image](maxlen=grid.frames) for grid in grids]
    seen = [0] * len(grids)
    numbers = [{start: number for number, start in enumerate(grid.starts)} for grid in grids]
    for clip, picture in pictures:
        held[clip].append(picture)
        seen[clip] += 1
        number = numbers[clip].get(seen[clip] - grids[clip].frames)
        if number is not None:
            yield Window(clip, number, np.stack(held[clip]))


def in_batches(windows: Iterable[Window], size: int) -> Iterator[list[Window]]:
    """Split windows into batches; the last may be smaller."""
    remaining = iter(windows)
    while batch := list(islice(remaining, size)):
        yield batch
