"""Measure face clips, so that their figures show which crops are wrong."""

from collections.abc import Sequence

import cv2
import numpy as np

from svfap.faces.detectors.detector import Face, Floats
from svfap.faces.pose import head_pose
from svfap.video.planes import JpegPlanes, Picture

_REBLUR = 9  # length in pixels of the box filter that Crété et al. propose


def describe_faces(faces: Sequence[Face]) -> dict[str, float]:
    """Return the mean score, size and pose of faces as fields of `Quality`; 0 without faces."""
    if not faces:
        return dict.fromkeys(("score", "face_size", "yaw", "pitch", "roll"), 0.0)
    poses = np.abs([head_pose(face.points) for face in faces]).mean(axis=0)
    return {
        "score": float(np.mean([face.score for face in faces])),
        "face_size": float(np.mean([face.side for face in faces])),
        **dict(zip(("yaw", "pitch", "roll"), map(float, poses), strict=True)),
    }


def missing_share(times: Sequence[float | None], *, declared: int, fps: float) -> float:
    """Return the share of a video's declared frames that do not decode.

    The number of declared frames is mostly an estimate from the length and the rate of the file. A
    wrong rate would make it wrong too, so a share counts only if the time stamps lack it as well.

    Args:
        times: second at which each decoded frame is shown; None where the file does not say.
        declared: number of frames that the file declares; 0 if it declares none.
        fps: frames per second that the file declares.
    """
    by_count = 1 - len(times) / declared if declared else 0.0
    shown = np.array(times, dtype=np.float64)
    if by_count <= 0 or len(times) < 2 or not np.all(np.diff(shown) >= 0):
        return max(0.0, by_count)
    steps = np.diff(shown)
    usual = float(np.median(steps))
    covered = float(np.minimum(steps, 1.5 * usual).sum()) + usual
    return max(0.0, min(by_count, 1 - covered * fps / declared))


def jitter(corners: Floats, *, size: int) -> float:
    """Return how much a square shakes, in pixels of a clip.

    It is the root mean square, over frames and corners, of the second difference of the corners'
    position. It is zero for a square at rest or in steady motion, whatever its speed.

    Args:
        corners: corners of the square in each frame, shape (frames, 3, 2).
        size: side of the clip in pixels.
    """
    if len(corners) < 3:
        return 0.0
    sides = np.linalg.norm(corners[1:-1, 1] - corners[1:-1, 0], axis=1)
    accelerations = np.linalg.norm(np.diff(corners, n=2, axis=0), axis=2)
    return float(np.sqrt(np.mean((accelerations * size / sides[:, None]) ** 2)))


def blur(picture: Picture) -> float:
    """Return how blurred a picture is, from 0 (sharp) to 1.

    The measure is the share of the differences between neighbouring pixels that survives another
    blur. It is large for a blurred picture and small for a sharp one (Crété et al., "The blur
    effect", 2007).

    Args:
        picture: a BGR image or planes.
    """
    if isinstance(picture, JpegPlanes):
        grey = picture.y.astype(np.float32)
    else:
        grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32)
    worst = 0.0
    for kernel, axis in (((1, _REBLUR), 0), ((_REBLUR, 1), 1)):
        reblurred = cv2.blur(grey, kernel)
        before, after = (np.abs(np.diff(values, axis=axis)) for values in (grey, reblurred))
        total = float(before.sum())
        lost = float(np.maximum(before - after, 0).sum())
        worst = max(worst, (total - lost) / total if total else 1.0)
    return worst
