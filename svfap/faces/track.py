"""Following faces over time, and the choice of those that clips are made of."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from svfap.faces.detectors.detector import Face, Floats

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

    def predicted(self, frame: int) -> Floats:
        """Centre of the face in a later frame, if it keeps the speed that it had last."""
        last = self.faces[-1].centre
        if len(self.frames) < 2:
            return last
        speed = (last - self.faces[-2].centre) / (self.frames[-1] - self.frames[-2])
        steps = min(frame - self.frames[-1], self.frames[-1] - self.frames[-2])
        return last + speed * steps


def link(
    detections: Iterable[tuple[int, Sequence[Face]]], *, fps: float, max_gap: float
) -> list[Track]:
    """Join the detections of one shot into tracks, nearest pairs first.

    A detection continues the track whose predicted place is nearest, in sides of its last face, if
    it lies within reach and is of similar size; any other detection begins a track. Reach grows
    with the time since the last detection, so that a face that was lost is found again; one that
    was away for longer than `max_gap` begins anew.

    Args:
        detections: (frame number, faces in it), frames ascending.
        fps: frames per second.
        max_gap: seconds without a detection that a track may span.
    """
    done: list[Track] = []
    tracks: list[Track] = []
    before = 0
    for frame, faces in detections:
        lost = [t for t in tracks if _is_lost(t, frame, before, fps=fps, max_gap=max_gap)]
        done += lost
        tracks = [track for track in tracks if track not in lost]
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
        tracks += [Track([frame], [face]) for f, face in enumerate(faces) if f not in placed]
        before = frame
    return sorted(done + tracks, key=lambda track: track.frames[0])


def weight(track: Track, *, width: int, height: int) -> float:
    """The sum, over a track's detections, of area share times centrality.

    The area share is that of the face's box in the picture; centrality falls from 1 in the middle
    of the picture to 0 in its corners. So large, central and lasting faces weigh most.
    """
    middle = np.array([width, height]) / 2
    corner = float(np.hypot(*middle))
    return sum(
        face.side**2 / (width * height) * max(0.0, 1 - _norm(face.centre - middle) / corner)
        for face in track.faces
    )


def choose(
    tracks: Sequence[Track],
    speaker: Literal["main", "largest", "all"],
    *,
    width: int,
    height: int,
) -> list[Track]:
    """The tracks that become clips: that of greatest `weight`, the largest, or all."""
    if speaker == "all" or not tracks:
        return list(tracks)
    if speaker == "largest":
        return [max(tracks, key=lambda track: float(np.median([f.side for f in track.faces])))]
    return [max(tracks, key=lambda track: weight(track, width=width, height=height))]


def _is_lost(track: Track, frame: int, before: int, *, fps: float, max_gap: float) -> bool:
    """Whether a track has missed a look and lies too far back to go on."""
    return track.frames[-1] != before and frame - track.frames[-1] > max_gap * fps


def _distance(track: Track, frame: int, face: Face, *, fps: float) -> float | None:
    """Sides of the track's last face between its predicted place and a face; None out of reach."""
    last = track.faces[-1]
    seconds = (frame - track.frames[-1]) / fps
    small, large = sorted((last.side, face.side))
    if small <= 0 or large > _GROWTH * small:
        return None
    distance = _norm(face.centre - track.predicted(frame)) / last.side
    return distance if distance <= _REACH + _SPEED * seconds else None


def _norm(vector: Floats) -> float:
    """Length of a vector."""
    return float(np.linalg.norm(vector))
