"""Read a video twice but decode it once, if its frames fit in memory."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from svfap.video.decode import read_frames
from svfap.video.frame import Frame

# Bytes of decoded frames that are kept: 23 seconds of 640 x 360 pixels at 25 fps, in YUV 4:2:0 with
# 1.5 bytes per pixel.
_BYTES = 200_000_000
# Bytes of frames that are decoded in one go, 46 of that size. While a decoder and a detector take
# turns at every frame, each finds the processor's caches filled by the other.
_PORTION = 16_000_000


class Replay:
    """Reads the frames of one video like `read_frames`, the second time from memory.

    Args:
        path: the video.
        stream: number of its video stream, see `svfap.video.streams.choose`.
        limit: bytes of frames to keep; a longer video is decoded every time.
    """

    def __init__(self, path: Path, *, stream: int | None = None, limit: int = _BYTES) -> None:
        self._path, self.stream, self._limit = path, stream, limit
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
        for frames, size in _in_portions(read_frames(self._path, self.stream)):
            room -= size
            if room >= 0:
                self._kept += frames
            else:  # the video is too long: keep no frames, since a part is of no use
                self._kept = []
            yield from frames
        # This line runs only if the caller reads to the end, so a partial reading is not complete.
        self._complete = room >= 0


def _in_portions(frames: Iterable[Frame]) -> Iterator[tuple[list[Frame], int]]:
    """Yield the frames that are decoded in one go, and the bytes that they take."""
    portion: list[Frame] = []
    size = 0
    for frame in frames:
        portion.append(frame)
        size += sum(plane.buffer_size for plane in frame.picture.planes)
        if size >= _PORTION:
            yield portion, size
            portion, size = [], 0
    yield portion, size
