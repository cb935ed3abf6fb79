"""Sample windows of a live face at even times, whatever the camera's frame rate."""

from collections import deque

import numpy as np

from svfap.use.footage import like_training_frame
from svfap.use.predictor import Predictor
from svfap.video.image import Image
from svfap.video.resize import Frames


class WindowSampler:
    """Samples pictures of one face at even times, and holds the pictures of the newest window.

    Args:
        predictor: the predictor, which provides sizes, stride and hop.
        fps: frames per second of the camera.

    Attributes:
        step: seconds from one sampled picture to the next.
        last: time of the last sampled picture; 0 before the first.
    """

    def __init__(self, predictor: Predictor, *, fps: float) -> None:
        facts = predictor.facts
        self._frames, self._size = facts.job.model.num_frames, facts.job.model.image_size
        self._quality = predictor.crop.quality
        self.step = facts.stride / (facts.fps or fps)
        hop = predictor.options.hop_of(self.step * self._frames)
        self._every = max(1, round(hop / self.step))
        self.clear()

    def clear(self) -> None:
        """Drop all pictures: another face starts a new window."""
        self._held: deque[Image] = deque(maxlen=self._frames)
        self._next = 0.0
        self._new = self._every
        self.last = 0.0

    def add(self, picture: Image, taken: float) -> None:
        """Sample a picture if one is due, several times if the camera is slower than the step."""
        if not self._held:
            self._next = taken
        while taken >= self._next:
            stored = like_training_frame(picture, quality=self._quality, size=self._size)
            self._held.append(stored)
            self._next += self.step
            self._new += 1
            self.last = taken

    def window(self) -> Frames | None:
        """Return the newest window (T, H, W, 3) if one is due."""
        if len(self._held) < self._frames or self._new < self._every:
            return None
        self._new = 0
        return np.stack(self._held)
