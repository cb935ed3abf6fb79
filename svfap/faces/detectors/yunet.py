"""YuNet, the default face detector, which runs in ONNX Runtime and comes with this package.

Wu, Peng and Yu, "YuNet: a tiny millisecond-level face detector", 2023; the weights (230 kB) have
the MIT licence. OpenCV's `FaceDetectorYN` gives equal results in three times the time, and its
objects cannot be shared by threads, as these can.
"""

from functools import lru_cache

import cv2
import numpy as np

from svfap.faces.detectors.detector import Face, Floats, distinct
from svfap.faces.detectors.weights import yunet_weights
from svfap.video.image import Image

MIN_SCORE = 0.6
_STRIDES = (8, 16, 32)  # pixels per cell of the three grids of outputs
_MULTIPLE = max(_STRIDES)  # sides of the network's input must be multiples of this
_CACHED_SIZES = 16  # image sizes whose grids stay in memory
# For each cell of a grid: the confidences of the class and of an object, the box, and the points.
_OUTPUTS = [f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in _STRIDES]
# The file declares an input of 640 x 640 pixels, but the network takes any multiple of 32. These
# are the bytes of a dimension of 640, and of a dimension with a name instead of a size.
_FIXED_SIDE, _FREE_SIDE = b"\x0a\x03\x08\x80\x05", b"\x0a\x03\x12\x01s"
_FATAL = 4  # log only this; ONNX Runtime warns of outputs of another size than the file declares


class YuNet:
    """Detects faces by YuNet, in images of any size."""

    def __init__(self, *, min_score: float = MIN_SCORE) -> None:
        """Load the weights; faces with a lower score than `min_score` are not reported."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = _FATAL
        # Videos are cropped by one process per core, where more threads would only compete.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        network = yunet_weights().read_bytes().replace(_FIXED_SIDE, _FREE_SIDE)
        self._session = onnxruntime.InferenceSession(network, options)
        self._min_score = min_score

    def detect(self, image: Image) -> list[Face]:
        """Return the faces in a BGR image."""
        height, width = (-(-side // _MULTIPLE) * _MULTIPLE for side in image.shape[:2])
        padded = np.zeros((1, 3, height, width), np.float32)
        padded[0, :, : image.shape[0], : image.shape[1]] = cv2.split(image)
        outputs = self._session.run(_OUTPUTS, {"input": padded})
        classes, objects, boxes, points = (
            np.concatenate(outputs[first : first + len(_STRIDES)], axis=1)[0]
            for first in range(0, len(_OUTPUTS), len(_STRIDES))
        )
        scores = np.sqrt(classes * objects)[:, 0]
        found = np.flatnonzero(scores >= self._min_score)
        places, strides = (values[found] for values in _cells(height, width))
        centres, halves = places + boxes[found, :2], np.exp(boxes[found, 2:]) / 2
        edges = np.hstack([centres - halves, centres + halves]) * strides
        landmarks = (places[:, None] + points[found].reshape(-1, 5, 2)) * strides[:, None]
        return distinct([*map(Face, edges, scores[found].tolist(), landmarks)])


@lru_cache(maxsize=_CACHED_SIZES)
def _cells(height: int, width: int) -> tuple[Floats, Floats]:
    """Return column and row of each cell (cells, 2), and its stride (cells, 1), for all grids."""
    grids = [np.indices((height // stride, width // stride))[::-1] for stride in _STRIDES]
    places = [grid.reshape(2, -1).T.astype(np.float64) for grid in grids]
    strides = [
        np.full((len(cells), 1), float(s)) for cells, s in zip(places, _STRIDES, strict=True)
    ]
    return np.concatenate(places), np.concatenate(strides)
