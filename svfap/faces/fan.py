"""The package `face-alignment` as detector: YuNet's boxes, FAN's 68 landmarks.

Bulat and Tzimiropoulos, "How far are we from solving the 2D & 3D face alignment problem?", ICCV
2017. Slower than YuNet alone by two orders of magnitude on a CPU. PyTorch and the package are
imported only when this detector is made.
"""

from pathlib import Path

import cv2
import numpy as np

from svfap.errors import SvfapError
from svfap.faces.detect import Face, Floats
from svfap.faces.yunet import weights
from svfap.video.decode import Image

_NETWORK = "2DFAN-4"
_LEFT_EYE, _RIGHT_EYE = slice(36, 42), slice(42, 48)
_NOSE, _MOUTH_LEFT, _MOUTH_RIGHT = 30, 48, 54


class Fan:
    """Faces by YuNet, their points by FAN, on a GPU where there is one."""

    def __init__(self, *, min_score: float) -> None:
        """Load both networks; faces with a lower score than `min_score` are not reported.

        Raises:
            SvfapError: FAN's weights are not on this machine; they are never downloaded unasked.
        """
        import torch
        from face_alignment import FaceAlignment, LandmarksType
        from face_alignment.api import models_urls

        folder = Path(torch.hub.get_dir()) / "checkpoints"
        address = models_urls[_NETWORK]
        name = address.rsplit("/", 1)[-1]
        if not (folder / name).is_file():
            raise SvfapError(
                f"crop.detector face-alignment needs the file {name} in the folder {folder}: "
                f"download {address} there, or set crop.detector to yunet, which needs nothing"
            )
        self._networks = FaceAlignment(
            LandmarksType.TWO_D,
            device="cuda" if torch.cuda.is_available() else "cpu",
            flip_input=False,
            compile=False,
            face_detector="yunet",
            face_detector_kwargs={
                "path_to_detector": str(weights()),
                "score_threshold": min_score,
            },
        )

    def detect(self, image: Image) -> list[Face]:
        """The faces in a BGR picture."""
        rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        boxes = self._networks.face_detector.detect_from_image(rgb)
        if not boxes:
            return []
        shapes = self._networks.get_landmarks_from_image(rgb, detected_faces=boxes)
        return [
            Face(box=np.array(box[:4]), score=float(box[4]), points=_five(np.asarray(shape)))
            for box, shape in zip(boxes, shapes, strict=True)
        ]


def _five(shape: Floats) -> Floats:
    """Eyes, nose and mouth corners from the 68 landmarks of shape (68, 2)."""
    eyes = shape[_LEFT_EYE].mean(axis=0), shape[_RIGHT_EYE].mean(axis=0)
    return np.stack([*eyes, *shape[[_NOSE, _MOUTH_LEFT, _MOUTH_RIGHT]]]).astype(np.float64)
