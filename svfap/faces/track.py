"""Following faces over time, and the choice of the one that a clip is about."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from svfap.faces.detect import Face, Floats

_REACH = 0.5  # a face may move this many of its sides between two detections ...
_SPEED = 2.0  # ... and this many more for each second between them,
_GROWTH = 1.6  # and grow or shrink by this factor.


@dataclass
class Track:
    """One face over time.

    Attributes:
        frames: the numbers of the frames in which it was detected, ascending.
        faces: the detections in these frames.
    """

    frames: list[int] = field(default_factory=list)
    faces: list[Face] = field(default_factory=list)

    def add(self, frame: int, face: Face) -> None:
        """Append a detection in a later frame."""
        self.frames.append(frame)
        self.faces.append(face)


def link(detections: Iterable[tuple[int, Sequence[Face]]], *, fps: float) -> list[Track]:
    """Join detections into tracks, nearest pairs first.

    A detection continues the track whose last face is nearest, in sides of that face, if it lies
    within reach and is of similar size; any other detection begins a track. Reach grows with the
    time since the last detection, so that a face that was lost is found again.

    Args:
        detections: (frame number, faces in it), frames ascending.
        fps: frames per second.
    """
    tracks: list[Track] = []
    for frame, faces in detections:
        pairs = sorted(
            (distance, t, f)
            for t, track in enumerate(tracks)
            for f, face in enumerate(faces)
            if (distance := _distance(track, frame, face, fps=fps)) is not None
        )
        continued: set[int] = set()
        placed: set[int] = set()
        for _, t, f in pairs:
            if t not in continued and f not in placed:
                tracks[t].add(frame, faces[f])
                continued.add(t)
                placed.add(f)
        for f, face in enumerate(faces):
            if f not in placed:
                tracks.append(Track([frame], [face]))
    return tracks


def main_track(tracks: Sequence[Track], *, width: int, height: int) -> Track | None:
    """The track with the greatest sum, over its detections, of area share times centrality.

    The area share is that of the face's box in the picture; centrality falls from 1 in the middle
    of the picture to 0 in its corners. Large, central and lasting faces win; the first of equals.
    """
    middle = np.array([width, height]) / 2
    corner = float(np.hypot(*middle))

    def weight(track: Track) -> float:
        return sum(
            face.side**2 / (width * height) * max(0.0, 1 - _norm(face.centre - middle) / corner)
            for face in track.faces
        )

    return max(tracks, key=weight, default=None)


def _distance(track: Track, frame: int, face: Face, *, fps: float) -> float | None:
    """Sides of the track's last face between it and `face`; None where out of reach."""
    last = track.faces[-1]
    seconds = (frame - track.frames[-1]) / fps
    small, large = sorted((last.side, face.side))
    if small <= 0 or large > _GROWTH * small:
        return None
    distance = _norm(face.centre - last.centre) / last.side
    return distance if distance <= _REACH + _SPEED * seconds else None


def _norm(vector: Floats) -> float:
    """Length of a vector."""
    return float(np.linalg.norm(vector))
