"""How good a face clip is: figures that tell a wrong crop from a right one."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from svfap.faces.detectors.detector import Face, Floats
from svfap.faces.pose import head_pose
from svfap.video.decode import Image

_REBLUR = 9  # pixels


@dataclass(frozen=True)
class Quality:
    """How well the face is seen in one clip.

    Attributes:
        detection_rate: share of the looks in which the face was found.
        score: mean confidence of its detections; 0 without any.
        face_size: mean side of the face's box in pixels of the video.
        jitter: shaking of the crop in pixels of the clip, see `shaking`.
        raw_jitter: the same before smoothing.
        blur: 0 sharp to 1 blurred, see `blur`.
        yaw: mean turn to the side in degrees, either way.
        pitch: mean lowering or raising in degrees, either way.
        roll: mean tilt in the video in degrees, either way.
        coverage: share of the video's frames that the clip shows.
        cuts: scene cuts in the video.
        people: tracks in the video.
        missing: share of the video's frames that do not decode.
    """

    detection_rate: float
    score: float
    face_size: float
    jitter: float
    raw_jitter: float
    blur: float
    yaw: float
    pitch: float
    roll: float
    coverage: float
    cuts: int
    people: int
    missing: float


def describe(faces: Sequence[Face]) -> dict[str, float]:
    """Mean score, size and pose of a face's detections; 0 without any."""
    if not faces:
        return dict.fromkeys(("score", "face_size", "yaw", "pitch", "roll"), 0.0)
    poses = np.abs([head_pose(face.points) for face in faces]).mean(axis=0)
    return {
        "score": float(np.mean([face.score for face in faces])),
        "face_size": float(np.mean([face.side for face in faces])),
        **dict(zip(("yaw", "pitch", "roll"), map(float, poses), strict=True)),
    }


def shaking(corners: Floats, *, size: int) -> float:
    """How much a window shakes, in pixels of a clip.

    The root mean square, over frames and corners, of the second difference of the corners'
    position: zero for a window that rests or glides, whatever its speed.

    Args:
        corners: of the window in each frame, shape (frames, 3, 2).
        size: side of the clip in pixels.
    """
    if len(corners) < 3:
        return 0.0
    sides = np.linalg.norm(corners[1:-1, 1] - corners[1:-1, 0], axis=1)
    shake = np.linalg.norm(np.diff(corners, n=2, axis=0), axis=2)
    return float(np.sqrt(np.mean((shake * size / sides[:, None]) ** 2)))


def blur(image: Image) -> float:
    """How blurred a picture is, from 0 to 1.

    The share of the differences between neighbouring pixels that outlives blurring it again: most
    of them in a blurred picture, few in a sharp one (Crété et al., "The blur effect", 2007).

    Args:
        image: BGR, shape (height, width, 3).
    """
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float32)
    worst = 0.0
    for kernel, axis in (((1, _REBLUR), 0), ((_REBLUR, 1), 1)):
        again = cv2.blur(grey, kernel)
        before, after = (np.abs(np.diff(picture, axis=axis)) for picture in (grey, again))
        total = float(before.sum())
        lost = float(np.maximum(before - after, 0).sum())
        worst = max(worst, (total - lost) / total if total else 1.0)
    return worst
