"""Scale the frames of a clip to the input size of a model."""

import cv2
import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.uint8]


def resize(frames: Frames, size: int) -> Frames:
    """Scale frames (T, H, W, 3) to (T, size, size, 3)."""
    if frames.shape[1:3] == (size, size):
        return frames
    # OpenCV's bilinear filter has no antialiasing, so shrinking with it would alias; its area
    # filter averages all source pixels, but enlarges in blocks.
    shrink = frames.shape[1] > size
    method = cv2.INTER_AREA if shrink else cv2.INTER_LINEAR
    return np.stack([cv2.resize(f, (size, size), interpolation=method) for f in frames])
