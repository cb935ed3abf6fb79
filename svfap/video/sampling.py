"""Choose the frames of a video that the model sees (paper section 4.1; details as in VideoMAE)."""

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


def pretrain_indices(length: int, frames: int, stride: int, rng: np.random.Generator) -> Indices:
    """Return every `stride`-th frame of a random span; short videos repeat their last frame."""
    start = int(rng.integers(0, max(length - frames * stride, 0) + 1))
    span: Indices = (start + stride * np.arange(frames)).clip(max=length - 1)
    return span


def finetune_indices(length: int, frames: int, stride: int, rng: np.random.Generator) -> Indices:
    """Return frames spread over a random span of `frames * stride`, or over a shorter video.

    This follows VideoMAE's loader, including its rounding: a `linspace` ends one beyond the last
    frame, and its places are rounded down and clipped.
    """
    span = frames * stride
    if length <= span:
        # A short video gives one frame per stride, then repetitions of the last frame.
        count = min(length // stride, frames)
        spread = np.linspace(0, length, num=count)
        chosen = np.concatenate((spread, np.full(frames - count, length)))
        return _to_indices(chosen, last=length - 1)
    # `integers` excludes `length`: as in VideoMAE, the span never ends at the last frame.
    end = int(rng.integers(span, length))
    return _to_indices(np.linspace(end - span, end, num=frames), last=end - 1)


def _to_indices(places: NDArray[np.float64], *, last: int) -> Indices:
    """Round places down to frame numbers, none beyond the last."""
    indices: Indices = np.minimum(places, last).astype(np.int64)
    return indices


def evaluation_indices(length: int, frames: int, stride: int, views: int) -> list[Indices]:
    """Return distinct views of every `stride`-th frame, with evenly spread starts."""
    sampled = np.arange(0, length, stride)
    missing = max(frames - len(sampled), 0)
    sampled = np.concatenate((sampled, np.full(missing, length - 1)))
    starts = np.unique(np.linspace(0, len(sampled) - frames, num=views).round().astype(np.int64))
    return [sampled[start : start + frames] for start in starts]
