"""S3FD, the default detector of the package `face-alignment`, on a GPU if there is one.

Zhang et al., "S3FD: single shot scale-invariant face detector", ICCV 2017. It finds boxes only.
This module places the points as in an upright face in such a box; another detector improves them.
PyTorch and the package are imported only when this detector is made.
"""

from pathlib import Path

import cv2
import numpy as np

from svfap.faces.detectors.detector import Face, Floats
from svfap.video.image import Image

# YuNet's box is smaller than S3FD's by the ratio of face-alignment's reference scales of the two.
_BOX_SCALE = 165 / 195
# Eyes, nose and mouth corners in shares of YuNet's box.
_POINTS = np.array([[0.3, 0.42], [0.7, 0.42], [0.5, 0.6], [0.34, 0.76], [0.66, 0.76]])


class S3FD:
    """Detects faces by S3FD."""

    def __init__(self, weights: Path, *, min_score: float = 0.5) -> None:
        """Load the network; faces with a lower score than `min_score` are not reported."""
        import torch
        from face_alignment.detection.sfd.sfd_detector import SFDDetector

        torch.set_num_threads(1)  # for the whole process, see `Fan`
        self._network = SFDDetector(
            "cuda" if torch.cuda.is_available() else "cpu",
            path_to_detector=str(weights),
            filter_threshold=min_score,
        )

    def detect(self, image: Image) -> list[Face]:
        """Return the faces in a BGR image."""
        rows = self._network.detect_from_image(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
        return [_face(np.asarray(row, dtype=np.float64)) for row in rows]


def _face(row: Floats) -> Face:
    """Convert a row of S3FD's output: left, top, right, bottom, score."""
    centre, half = (row[:2] + row[2:4]) / 2, (row[2:4] - row[:2]) / 2 * _BOX_SCALE
    box = np.concatenate([centre - half, centre + half])
    return Face(box=box, score=float(row[4]), points=box[:2] + _POINTS * 2 * half)
