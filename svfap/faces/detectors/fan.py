"""FAN (Face Alignment Network): 68 landmarks of faces that another detector finds.

Bulat and Tzimiropoulos, "How far are we from solving the 2D & 3D face alignment problem?", ICCV
2017; the network is from the package `face-alignment`. On a CPU it is slower than YuNet alone by
two orders of magnitude. PyTorch and the package are imported only when this detector is made.
"""

from dataclasses import replace

import cv2
import numpy as np

from svfap.faces.detectors.detector import Detector, Face, Floats
from svfap.faces.detectors.weights import yunet_weights
from svfap.video.image import Image

_GPU_BATCH = 16  # faces at a time
# These are indices in the 68 landmarks of iBUG 300-W.
_LEFT_EYE, _RIGHT_EYE = slice(36, 42), slice(42, 48)
_NOSE, _MOUTH_LEFT, _MOUTH_RIGHT = 30, 48, 54


class Fan:
    """Takes faces from another detector and their points from FAN, on a GPU if there is one."""

    def __init__(self, detector: Detector) -> None:
        """Load the network, and limit torch to one thread in the whole process.

        Args:
            detector: the detector that finds the faces.
        """
        import torch
        from face_alignment import FaceAlignment, LandmarksType

        on_gpu = torch.cuda.is_available()
        # Each worker of the stage `crop` uses one core. PyTorch's default, a thread per core, would
        # make the workers compete.
        torch.set_num_threads(1)
        self._detector = detector
        self._network = FaceAlignment(
            LandmarksType.TWO_D,
            device="cuda" if on_gpu else "cpu",
            flip_input=False,
            compile=False,
            # face-alignment never runs this detector, because `detected_faces` is given. It only
            # takes the detector's reference scale, by which it scales FAN's input. The boxes given
            # are YuNet's.
            face_detector="yunet",
            face_detector_kwargs={"path_to_detector": str(yunet_weights())},
            max_batch_size=_GPU_BATCH if on_gpu else 1,
        )

    def detect(self, image: Image) -> list[Face]:
        """Return the faces in a BGR image."""
        return self._with_points(image, self._detector.detect(image))

    def glance(self, image: Image) -> list[Face]:
        """Return the faces in a BGR image, with the points of the other detector."""
        return self._detector.glance(image)

    def follow(self, image: Image, face: Face) -> Face | None:
        """Return a known face with FAN's points; None if it is not near its last place."""
        found = self._detector.follow(image, face)
        return self._with_points(image, [found])[0] if found else None

    def _with_points(self, image: Image, faces: list[Face]) -> list[Face]:
        """Return the same faces with FAN's points, computed in one batch."""
        if not faces:
            return []
        rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        boxes = [[*face.box.tolist(), face.score] for face in faces]
        shapes = self._network.get_landmarks_from_image(rgb, detected_faces=boxes)
        return [
            replace(face, points=_five_points(np.asarray(shape)))
            for face, shape in zip(faces, shapes, strict=True)
        ]


def _five_points(landmarks: Floats) -> Floats:
    """Reduce the 68 landmarks of shape (68, 2) to eyes, nose and mouth corners."""
    eyes = landmarks[_LEFT_EYE].mean(axis=0), landmarks[_RIGHT_EYE].mean(axis=0)
    others = landmarks[[_NOSE, _MOUTH_LEFT, _MOUTH_RIGHT]]
    return np.stack([*eyes, *others]).astype(np.float64)
