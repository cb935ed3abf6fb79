"""Which frames of a video make a clip (paper section 4.1; details as in VideoMAE)."""

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


def pretrain_indices(length: int, frames: int, stride: int, rng: np.random.Generator) -> Indices:
    """A window at a random place, every `stride`-th frame; short videos repeat the last one."""
    start = int(rng.integers(0, max(length - frames * stride, 0) + 1))
    window: Indices = (start + stride * np.arange(frames)).clip(max=length - 1)
    return window


def train_indices(length: int, frames: int, stride: int, rng: np.random.Generator) -> Indices:
    """A random window of `frames * stride` frames, or the whole of a shorter video."""
    window = frames * stride
    if length <= window:
        count = min(length // stride, frames)
        spread = np.linspace(0, length, num=count)
        chosen = np.concatenate((spread, np.full(frames - count, length)))
        return _whole(chosen, last=length - 1)
    end = int(rng.integers(window, length))
    return _whole(np.linspace(end - window, end, num=frames), last=end - 1)


def _whole(places: NDArray[np.float64], *, last: int) -> Indices:
    """Places as frame numbers, none beyond the last."""
    indices: Indices = np.minimum(places, last).astype(np.int64)
    return indices


def view_indices(length: int, frames: int, stride: int, views: int) -> list[Indices]:
    """Clips of every `stride`-th frame, starts spread evenly; equal clips are given once."""
    sampled = np.arange(0, length, stride)
    missing = max(frames - len(sampled), 0)
    sampled = np.concatenate((sampled, np.full(missing, length - 1)))
    starts = np.unique(np.linspace(0, len(sampled) - frames, num=views).round().astype(np.int64))
    return [sampled[start : start + frames] for start in starts]
