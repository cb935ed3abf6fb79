"""Windows over time: which frames of a face each holds, and how they come out of a stream.

Frames are sampled as in testing: every `step`-th of the clip, a window being as many of them as the
model takes; a clip that is too short repeats its last frame. A step is a number of training frames;
at another frame rate than that of training, it spans the same time.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from svfap.video.sampling import Indices

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Grid:
    """The windows of one clip.

    Attributes:
        sampled: numbers of the frames that are sampled, ascending; the last may be repeated.
        starts: where each window begins, as a place in `sampled`.
        frames: sampled frames in each window.
        padded: whether the clip is shorter than a window.
    """

    sampled: Indices
    starts: tuple[int, ...]
    frames: int
    padded: bool


def grid(length: int, *, frames: int, step: float, hop: float) -> Grid:
    """The windows of a clip; of several, the last ends where the clip ends.

    Args:
        length: number of frames of the clip.
        frames: frames in a window.
        step: frames of the clip from one sampled frame to the next.
        hop: frames of the clip from one window to the next, rounded to whole steps.
    """
    sampled = np.arange(0, length, step).astype(np.int64)
    missing = max(frames - len(sampled), 0)
    sampled = np.concatenate((sampled, np.full(missing, length - 1)))
    last = len(sampled) - frames
    every = max(1, round(hop / step))
    starts = [*range(0, last + 1, every)]
    if last - starts[-1] > every / 2:
        starts.append(last)
    elif len(starts) > 1:
        starts[-1] = last
    return Grid(sampled, tuple(starts), frames, missing > 0)


def gather(
    pictures: Iterable[tuple[int, Picture]], grids: Sequence[Grid]
) -> Iterator[tuple[int, int, Picture]]:
    """Windows out of the sampled pictures of several clips, as soon as each is complete.

    Args:
        pictures: number of a clip and its next sampled picture, (H, W, 3).
        grids: the windows of each clip.

    Yields:
        Number of the clip, number of its window, and the window (frames, H, W, 3).
    """
    held = [deque[Picture](maxlen=grid.frames) for grid in grids]
    seen = [0] * len(grids)
    places = [{start: number for number, start in enumerate(grid.starts)} for grid in grids]
    for clip, picture in pictures:
        held[clip].append(picture)
        seen[clip] += 1
        window = places[clip].get(seen[clip] - grids[clip].frames)
        if window is not None:
            yield clip, window, np.stack(held[clip])
