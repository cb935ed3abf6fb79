"""The package `face-alignment` for landmarks: FAN's 68 points of faces that another detector finds.

Bulat and Tzimiropoulos, "How far are we from solving the 2D & 3D face alignment problem?", ICCV
2017. Slower than YuNet alone by two orders of magnitude on a CPU. PyTorch and the package are
imported only when this detector is made.
"""

import cv2
import numpy as np

from svfap.faces.detectors.detector import Detector, Face, Floats
from svfap.faces.detectors.yunet import weights
from svfap.video.decode import Image

_BATCH = 16  # faces that a GPU is given at once
_LEFT_EYE, _RIGHT_EYE = slice(36, 42), slice(42, 48)
_NOSE, _MOUTH_LEFT, _MOUTH_RIGHT = 30, 48, 54


class Fan:
    """Faces by another detector, their points by FAN, on a GPU where there is one."""

    def __init__(self, detector: Detector) -> None:
        """Load the network, whose weights `checkpoints` has found."""
        import torch
        from face_alignment import FaceAlignment, LandmarksType

        on_gpu = torch.cuda.is_available()
        torch.set_num_threads(1)
        self._detector = detector
        self._network = FaceAlignment(
            LandmarksType.TWO_D,
            device="cuda" if on_gpu else "cpu",
            flip_input=False,
            compile=False,
            face_detector="yunet",  # not used, but its boxes are the ones that FAN is scaled to
            face_detector_kwargs={"path_to_detector": str(weights())},
            max_batch_size=_BATCH if on_gpu else 1,
        )

    def detect(self, image: Image) -> list[Face]:
        """The faces in a BGR picture."""
        return self._with_points(image, self._detector.detect(image))

    def glance(self, image: Image) -> list[Face]:
        """The faces in a BGR picture, with the points of the other detector."""
        return self._detector.glance(image)

    def follow(self, image: Image, face: Face) -> Face | None:
        """The face about where it was a moment ago."""
        found = self._detector.follow(image, face)
        return self._with_points(image, [found])[0] if found else None

    def _with_points(self, image: Image, faces: list[Face]) -> list[Face]:
        """The same faces with FAN's points, all in one batch."""
        if not faces:
            return []
        rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        boxes = [[*face.box.tolist(), face.score] for face in faces]
        shapes = self._network.get_landmarks_from_image(rgb, detected_faces=boxes)
        return [
            Face(box=face.box, score=face.score, points=_five(np.asarray(shape)))
            for face, shape in zip(faces, shapes, strict=True)
        ]


def _five(shape: Floats) -> Floats:
    """Eyes, nose and mouth corners from the 68 landmarks of shape (68, 2)."""
    eyes = shape[_LEFT_EYE].mean(axis=0), shape[_RIGHT_EYE].mean(axis=0)
    return np.stack([*eyes, *shape[[_NOSE, _MOUTH_LEFT, _MOUTH_RIGHT]]]).astype(np.float64)
