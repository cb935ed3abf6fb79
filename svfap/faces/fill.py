"""Clips of whole videos: where the square is while the face is missing (key `crop.missing`)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from svfap.faces.detectors.detector import Floats

Flags = NDArray[np.bool_]


def hold(stretches: Sequence[tuple[int, Floats]], length: int) -> tuple[Floats, Flags]:
    """Return squares for all frames of a clip: elsewhere, each stays where the face was last seen.

    Before the face is first seen, the square is where it will be seen.

    Args:
        stretches: parts of the clip that show the face, at least one: the place of the first frame,
            and the corners of each square, shape (frames, 3, 2). Where two overlap, the one that
            starts later counts.
        length: number of frames of the clip.

    Returns:
        Corners of shape (length, 3, 2), and whether each frame shows the face, shape (length,).
    """
    corners, seen = np.zeros((length, 3, 2)), np.zeros(length, bool)
    for start, squares in sorted(stretches, key=lambda stretch: stretch[0]):
        end = start + len(squares)
        corners[start:end], seen[start:end] = squares, True
    last_seen = np.maximum.accumulate(np.where(seen, np.arange(length), int(np.argmax(seen))))
    return corners[last_seen], seen
