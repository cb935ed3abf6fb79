"""Reading a video twice and decoding it once, where it is short enough to be kept."""

from collections.abc import Iterator
from pathlib import Path

from svfap.video.decode import Frame, read_frames

_BYTES = 200_000_000  # of decoded frames that are kept, 23 seconds of 640 x 360 at 25 fps


class Replay:
    """Reads the frames of one video like `read_frames`, the second time out of memory.

    Args:
        path: the video.
        limit: bytes of frames that are kept; a longer video is decoded every time.
    """

    def __init__(self, path: Path, *, limit: int = _BYTES) -> None:
        self._path, self._limit = path, limit
        self._kept: list[Frame] = []
        self._complete = False

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames.

        Raises:
            Reject: see `read_frames`.
        """
        if self._complete:
            yield from self._kept
            return
        self._kept = []
        room = self._limit
        for frame in read_frames(self._path):
            room -= sum(plane.buffer_size for plane in frame.picture.planes)
            if room >= 0:
                self._kept.append(frame)
            else:
                self._kept = []
            yield frame
        self._complete = room >= 0
