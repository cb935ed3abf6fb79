"""Frames of a camera, read in a thread so that a slow model still gets recent frames."""

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

from svfap.errors import SvfapError
from svfap.video.image import Image

_DEVICE = re.compile(r"^(\d+|/dev/video\d+)$")
_TIMEOUT = 10.0  # seconds without a frame after which a camera counts as unplugged
_FALLBACK_FPS = 30.0  # frames per second of cameras that report 0


@dataclass(frozen=True)
class CameraFrame:
    """A frame of a camera.

    Attributes:
        image: BGR image, (H, W, 3).
        taken: time at which the frame was read, in seconds of `time.monotonic`.
    """

    image: Image
    taken: float


def device_of(source: str) -> int | str | None:
    """Return the camera that a source names; None if it is a file or folder.

    Args:
        source: number of a camera or its device file; an existing file or folder of that name wins.
    """
    if not _DEVICE.match(source) or Path(source).is_file() or Path(source).is_dir():
        return None
    return int(source) if source.isdecimal() else source


class Camera:
    """A camera, read in a thread while the context is open.

    Args:
        source: number of the camera or its device file; tests use a video file.
        keep: most frames to keep for `take`; if more arrive, the oldest are dropped.

    Raises:
        SvfapError: the camera does not exist or delivers no picture.
    """

    def __init__(self, source: int | str, *, keep: int = 128) -> None:
        device = f"/dev/video{source}" if isinstance(source, int) else source
        self.source, self.dropped = device, 0
        if sys.platform == "linux" and not Path(device).exists():
            raise SvfapError(f"{device}: no such camera; connected ones: {_connected()}")
        self._capture = cv2.VideoCapture(source)
        if not self._capture.isOpened():
            raise SvfapError(f"{device}: gives no picture; is another program using it?")
        self.fps = float(self._capture.get(cv2.CAP_PROP_FPS)) or _FALLBACK_FPS
        self._waiting: deque[CameraFrame] = deque(maxlen=keep)
        self._changed = threading.Condition()
        self._open = True
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        """Start reading."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop reading and release the camera."""
        self._open = False
        self._thread.join()
        self._capture.release()

    def take(self) -> list[CameraFrame]:
        """Wait for a frame and return all frames since the last call; none if the camera ended."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or not self._open, timeout=_TIMEOUT)
            taken = list(self._waiting)
            self._waiting.clear()
        return taken

    def _read(self) -> None:
        """Queue frames as they come; a video file plays at its own frame rate."""
        is_file = Path(self.source).is_file()
        due = time.monotonic()
        while self._open:
            good, image = self._capture.read()
            if not good:
                break
            if is_file:
                due += 1 / self.fps
                time.sleep(max(0.0, due - time.monotonic()))
            with self._changed:
                # A full deque drops its oldest frame by itself.
                self.dropped += len(self._waiting) == self._waiting.maxlen
                self._waiting.append(
                    CameraFrame(np.asarray(image, dtype=np.uint8), time.monotonic())
                )
                self._changed.notify()
        with self._changed:
            self._open = False
            self._changed.notify()


def _connected() -> str:
    """Return the device files of this machine's cameras, for a message."""
    return ", ".join(sorted(str(path) for path in Path("/dev").glob("video*"))) or "none"
