"""YuNet, the default face detector, which runs in OpenCV and needs no download.

Wu, Peng and Yu, "YuNet: a tiny millisecond-level face detector", 2023; the weights (230 kB) have
the MIT licence.
"""

import cv2
import numpy as np

from svfap.faces.detectors.detector import Face, Floats
from svfap.faces.detectors.weights import yunet_weights
from svfap.video.image import Image

MIN_SCORE = 0.6
_MAX_OVERLAP = 0.3  # of two boxes with a higher IoU, only the one with the higher score is kept


class YuNet:
    """Detects faces by YuNet, in images of any size."""

    def __init__(self, *, min_score: float = MIN_SCORE) -> None:
        """Load the weights; faces with a lower score than `min_score` are not reported."""
        # The size (0, 0) is a placeholder: `detect` sets the size of each image.
        self._net = cv2.FaceDetectorYN.create(
            str(yunet_weights()), "", (0, 0), min_score, _MAX_OVERLAP
        )

    def detect(self, image: Image) -> list[Face]:
        """Return the faces in a BGR image."""
        height, width = image.shape[:2]
        self._net.setInputSize((width, height))
        _, rows = self._net.detect(image)
        if rows is None:  # OpenCV returns None if it finds no face
            return []
        return [_face(np.asarray(row, dtype=np.float64)) for row in rows]


def _face(row: Floats) -> Face:
    """Convert a row of YuNet's output: left, top, width, height, five points, score."""
    box = np.concatenate([row[:2], row[:2] + row[2:4]])
    return Face(box=box, score=float(row[14]), points=row[4:14].reshape(5, 2))
