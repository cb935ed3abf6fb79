"""Scene cuts, found in thumbnails: where the picture stops resembling the one before.

Likeness is the correlation of brightness, which fades, flicker and exposure leave as it is. A cut
must stand out from the changes of the last second, so that fast motion is none; a flash, after
which the picture returns, is none either.
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from svfap.video.decode import Frame

Thumbnail = NDArray[np.float64]

_SIZE = (32, 18)
_LEAST = 0.3  # share of the pattern that a cut replaces ...
_FACTOR = 4.0  # ... and how many times as much as frames did of late
_CONTRAST = 2.0  # grey levels: below it there is no pattern
_RECENT = 25
_FLASH = 4  # frames that a flash lasts at most


class CutFinder:
    """Sees the frames of a video one by one.

    Attributes:
        starts: number of the first frame of each shot; the first is 0.
    """

    def __init__(self) -> None:
        self.starts = [0]
        self._seen: deque[Thumbnail] = deque(maxlen=_FLASH + 1)
        self._changes: deque[float] = deque(maxlen=_RECENT)

    def see(self, number: int, frame: Frame) -> bool:
        """Whether a frame, the next in order, looks as if a new shot began with it."""
        thumbnail = _normalised(frame.luma(*_SIZE))
        new = bool(self._seen) and self._is_new(thumbnail)
        if new:
            self._start(number, thumbnail)
        self._seen.append(thumbnail)
        return new

    def _is_new(self, thumbnail: Thumbnail) -> bool:
        change = _change(self._seen[-1], thumbnail)
        usual = float(np.mean(self._changes)) if self._changes else 0.0
        self._changes.append(min(change, _LEAST))
        return change > max(_LEAST, _FACTOR * usual)

    def _start(self, number: int, thumbnail: Thumbnail) -> None:
        """Begin a shot, unless this is the way back from a flash."""
        length = number - self.starts[-1]
        before = self._seen[-length - 1] if 1 <= length < len(self._seen) else None
        if before is not None and len(self.starts) > 1 and _change(before, thumbnail) < _LEAST:
            self.starts.pop()
        else:
            self.starts.append(number)


def _normalised(image: NDArray[np.uint8]) -> Thumbnail:
    """The pattern without its mean brightness and contrast; zero where there is none."""
    pattern = image.astype(np.float64).ravel()
    pattern -= pattern.mean()
    contrast = float(pattern.std())
    pattern /= max(contrast, _CONTRAST) * float(np.sqrt(len(pattern)))
    return pattern


def _change(one: Thumbnail, other: Thumbnail) -> float:
    """How much of the pattern is new: 0 none, 1 all of it."""
    if not one.any() and not other.any():
        return 0.0
    return 1.0 - float(one @ other) / max(float(one @ one), float(other @ other))
