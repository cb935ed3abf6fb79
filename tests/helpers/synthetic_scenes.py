"""Rendered videos with known landmarks, filmed in the way that a test needs."""

from dataclasses import astuple, dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from svfap.demo.filming import Filming, draw_settings
from svfap.demo.identity import identity
from svfap.demo.performance import perform
from svfap.faces.detectors.detector import Face, Floats
from svfap.faces.track import Track
from svfap.video.encode import write_video

Frames = list[NDArray[np.uint8]]


@dataclass(frozen=True)
class Take:
    """How a subject is filmed; angles in degrees are added to the subject's own motion."""

    subject: int = 3
    frames: int = 50
    fps: int = 25
    size: tuple[int, int] = (640, 360)
    face: float = 0.5
    yaw: float = 0
    roll: float = 0
    blur: float = 0


def film(take: Take) -> tuple[Frames, Floats]:
    """Return RGB frames, and the five true points in each, shape (frames, 5, 2)."""
    rng = np.random.default_rng(take.subject)
    settings = replace(
        draw_settings(rng), size=take.size, fps=take.fps, face_height=take.face, centre=(0.5, 0.45)
    )
    filming = Filming(settings, identity(take.subject), rng=rng)
    images, points = [], []
    for moment in perform("happy", take.frames, rng=rng):
        pose = moment.pose
        pose = replace(
            pose, yaw=pose.yaw + np.radians(take.yaw), roll=pose.roll + np.radians(take.roll)
        )
        frame = filming.shoot(replace(moment, pose=pose))
        image = cv2.GaussianBlur(frame.image, (0, 0), take.blur) if take.blur else frame.image
        images.append(np.asarray(image, dtype=np.uint8))
        points.append(astuple(frame.landmarks))
    return images, np.array(points)


def filmed(folder: Path, take: Take) -> tuple[Path, Floats]:
    """Write the frames to a file; return its path and the true points."""
    images, points = film(take)
    path = folder / f"{hash(take)}.mp4"
    write_video(path, images, fps=take.fps)
    return path, points


def true_track(points: Floats) -> Track:
    """Return a track with the true points of every frame."""
    return Track([*range(len(points))], [Face(np.zeros(4), 1.0, five) for five in points])
