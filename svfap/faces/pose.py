"""Estimate head pose from five points, roughly enough to tell profiles from frontal faces."""

import numpy as np

from svfap.faces.detectors.detector import Floats

# An average face in millimetres: x to the right of the image, y down, z away from the camera. The
# tip of the nose is where detectors put it, which is lower than in anatomy.
_FACE = np.array(
    [
        [-33.0, -38.5, 1.5],
        [33.0, -38.5, 1.5],
        [0.0, -1.5, -37.0],
        [-29.0, 28.5, -3.0],
        [29.0, 28.5, -3.0],
    ]
)
_FIT = np.linalg.pinv(_FACE - _FACE.mean(axis=0))  # the solution of least squares


def head_pose(points: Floats) -> tuple[float, float, float]:
    """Return yaw, pitch and roll in degrees.

    The angles are positive if the head is turned to the image's right, lowered, or tilted
    clockwise. The function fits the projection of an average face, without perspective, by least
    squares.

    Args:
        points: eyes, nose and mouth corners as in `Face`, shape (5, 2).
    """
    rows = (_FIT @ (points - points.mean(axis=0))).T
    # Under a true rotation both rows have the same length, the scale. Normalising each also copes
    # with five points on one spot, whose rows are zero.
    lengths = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    right, down = rows / lengths
    forward = np.cross(right, down)
    yaw = np.arcsin(np.clip(forward[0], -1, 1))
    pitch = np.arctan2(forward[1], forward[2])
    roll = np.arctan2(down[0], right[0])
    return float(np.degrees(yaw)), float(np.degrees(pitch)), float(np.degrees(roll))
