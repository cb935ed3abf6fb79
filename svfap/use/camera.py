"""A camera as a source of frames: read by a thread of its own, so that none is old when taken."""

import re
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from svfap.errors import SvfapError

_DEVICE = re.compile(r"^(\d+|/dev/video\d+)$")
_WAIT = 10.0  # seconds without a frame after which a camera counts as gone


@dataclass(frozen=True)
class CameraFrame:
    """A frame and when it came, in seconds of `time.monotonic`; BGR, (height, width, 3)."""

    image: NDArray[np.uint8]
    taken: float


def device_of(source: str) -> int | str | None:
    """The camera that a source names; None if it names a file or folder.

    Args:
        source: the number of a camera or its device file; a file of such a name is a file.
    """
    if not _DEVICE.match(source) or Path(source).is_file() or Path(source).is_dir():
        return None
    return int(source) if source.isdecimal() else source


class Camera:
    """Frames of a camera as they come.

    Args:
        source: number of the camera or its device file; a video file serves as well.
        keep: frames that wait at most; when more wait, the oldest are dropped.

    Raises:
        SvfapError: there is no such camera, or it gives no picture.
    """

    def __init__(self, source: int | str, *, keep: int = 128) -> None:
        device = f"/dev/video{source}" if isinstance(source, int) else source
        self.source, self.dropped = device, 0
        if sys.platform == "linux" and not Path(device).exists():
            raise SvfapError(f"{device}: no such camera; connected ones: {_connected()}")
        self._capture = cv2.VideoCapture(source)
        if not self._capture.isOpened():
            raise SvfapError(f"{device}: gives no picture; is another program using it?")
        self.fps = float(self._capture.get(cv2.CAP_PROP_FPS)) or 30.0
        self._waiting: deque[CameraFrame] = deque(maxlen=keep)
        self._news = threading.Condition()
        self._open = True
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        """Begin to read."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let the camera go."""
        self._open = False
        self._thread.join()
        self._capture.release()

    def take(self) -> list[CameraFrame]:
        """All frames since the last call, at least one; none when the camera has ended."""
        with self._news:
            self._news.wait_for(lambda: self._waiting or not self._open, timeout=_WAIT)
            taken = list(self._waiting)
            self._waiting.clear()
        return taken

    def _read(self) -> None:
        """Put frames into the queue; a video file is read at its own pace."""
        is_file = Path(self.source).is_file()
        due = time.monotonic()
        while self._open:
            good, image = self._capture.read()
            if not good:
                break
            if is_file:
                due += 1 / self.fps
                time.sleep(max(0.0, due - time.monotonic()))
            with self._news:
                self.dropped += len(self._waiting) == self._waiting.maxlen
                self._waiting.append(
                    CameraFrame(np.asarray(image, dtype=np.uint8), time.monotonic())
                )
                self._news.notify()
        with self._news:
            self._open = False
            self._news.notify()


def _connected() -> str:
    """The cameras of this machine in words."""
    return ", ".join(sorted(str(path) for path in Path("/dev").glob("video*"))) or "none"
