"""One video to one face clip: detect, track, align, crop."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from svfap.config import CropConfig
from svfap.faces.align import Windows, cut_out, face_windows, smooth
from svfap.faces.detect import Detector, Face
from svfap.faces.track import Track, link, main_track
from svfap.video.decode import Image, Reject, frame_rate, read_frames


@dataclass(frozen=True)
class Quality:
    """How well the face was seen.

    Attributes:
        detection_rate: share of the searched frames in which the face was found.
        score: mean confidence of its detections.
        face_size: mean side of the face's box in pixels of the video.
        jitter: shaking of the crop in pixels of the clip, see `Windows.jitter`.
    """

    detection_rate: float
    score: float
    face_size: float
    jitter: float


@dataclass(frozen=True)
class FaceVideo:
    """A face clip that is about to be cut: its pictures are made while they are asked for.

    Attributes:
        path: the video.
        fps: frames per second.
        size: side of the clip in pixels.
        windows: where the face is in each frame.
        quality: how well the face was seen.
    """

    path: Path
    fps: float
    size: int
    windows: Windows
    quality: Quality

    def images(self) -> Iterator[Image]:
        """The pictures of the clip, BGR, shape (size, size, 3); reads the video anew."""
        for frame, corners in zip(read_frames(self.path), self.windows.corners(), strict=False):
            yield cut_out(frame.bgr(), corners, size=self.size)


@dataclass(frozen=True)
class _Search:
    """What the first pass over a video finds; faces are in pixels of the full frame."""

    frames: int
    width: int
    height: int
    faces: list[tuple[int, list[Face]]]


def crop_video(path: Path, config: CropConfig, detector: Detector) -> FaceVideo:
    """Find the main face of a video and the window that follows it.

    Args:
        path: the video.
        config: how to detect, align and smooth.
        detector: finds the faces of a picture.

    Raises:
        Reject: the video cannot be read, is too short, or does not show a face long enough.
    """
    fps = frame_rate(path)
    found = _search(path, config, detector)
    if found.frames < config.min_frames:
        raise Reject(
            f"{found.frames} frames, at least {config.min_frames} needed (crop.min_frames)"
        )
    track = main_track(link(found.faces, fps=fps), width=found.width, height=found.height)
    if track is None:
        raise Reject("no face found")
    rate = len(track.frames) / len(found.faces)
    if rate < config.min_rate:
        raise Reject(
            f"face found in {rate:.0%} of the frames, at least {config.min_rate:.0%} needed "
            "(crop.min_rate)"
        )
    windows = face_windows(track, frames=found.frames, margin=config.margin)
    windows = smooth(windows, radius=round(config.smoothing * fps / 2))
    return FaceVideo(path, fps, config.size, windows, _quality(track, windows, rate, config.size))


def _search(path: Path, config: CropConfig, detector: Detector) -> _Search:
    """Look for faces in every n-th frame."""
    faces: list[tuple[int, list[Face]]] = []
    width = height = count = 0
    for number, frame in enumerate(read_frames(path)):
        count = number + 1
        if number % config.every == 0:
            image = frame.bgr(config.max_side)
            width, height = frame.size
            enlarge = max(frame.size) / max(image.shape)
            faces.append((number, [face.scaled(enlarge) for face in detector.detect(image)]))
    return _Search(count, width, height, faces)


def _quality(track: Track, windows: Windows, rate: float, size: int) -> Quality:
    """The figures that are written down beside the clip."""
    return Quality(
        detection_rate=rate,
        score=float(np.mean([face.score for face in track.faces])),
        face_size=float(np.mean([face.side for face in track.faces])),
        jitter=windows.jitter(size),
    )
