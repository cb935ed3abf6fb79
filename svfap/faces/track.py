"""Link detections into tracks over time, and choose the tracks that become clips."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from svfap.faces.detectors.detector import Face, Floats

Speaker = Literal["main", "largest", "all"]
# These numbers are not from the paper. They were chosen so that tests/faces/test_faces.py and
# tests/faces/test_search.py pass.
_REACH = 0.5  # a face may move by this many of its sides between two detections ...
_SPEED = 2.0  # ... and by this many more for each second between them,
_GROWTH = 1.6  # and grow or shrink by at most this factor.


@dataclass
class Track:
    """One face over time.

    Attributes:
        frames: numbers of the frames with a detection of the face, ascending.
        faces: the detections in these frames.
    """

    frames: list[int] = field(default_factory=list)
    faces: list[Face] = field(default_factory=list)

    def add(self, frame: int, face: Face) -> None:
        """Append a detection in a later frame."""
        self.frames.append(frame)
        self.faces.append(face)

    def predict_centre(self, frame: int) -> Floats:
        """Predict the face's centre in a later frame from its last place and speed."""
        last = self.faces[-1].centre
        if len(self.frames) < 2:
            return last
        speed = (last - self.faces[-2].centre) / (self.frames[-1] - self.frames[-2])
        # Extrapolate no further than the gap that the speed was measured over.
        steps = min(frame - self.frames[-1], self.frames[-1] - self.frames[-2])
        return last + speed * steps


def link(
    detections: Iterable[tuple[int, Sequence[Face]]], *, fps: float, max_gap: float
) -> list[Track]:
    """Link the detections of one shot into tracks, nearest pairs first.

    A detection continues the nearest track if the detection lies within reach and has a similar
    size; any other detection starts a track. Distances are measured from a track's predicted place,
    in sides of its last face. Reach grows with the time since the last detection, so a lost face is
    found again. After a gap longer than `max_gap`, the face starts a new track.

    Args:
        detections: frame numbers, ascending, each with the faces in that frame.
        fps: frames per second.
        max_gap: seconds without a detection that a track may bridge.
    """
    finished: list[Track] = []
    active: list[Track] = []
    previous = 0
    for frame, faces in detections:
        lost = [t for t in active if _is_lost(t, frame, previous, fps=fps, max_gap=max_gap)]
        finished += lost
        active = [track for track in active if track not in lost]
        # Assign greedily: of all (track, face) pairs within reach, the nearest comes first.
        pairs = sorted(
            (distance, t, f)
            for t, track in enumerate(active)
            for f, face in enumerate(faces)
            if (distance := _distance(track, frame, face, fps=fps)) is not None
        )
        continued: set[int] = set()
        assigned: set[int] = set()
        for _, t, f in pairs:
            if t not in continued and f not in assigned:
                active[t].add(frame, faces[f])
                continued.add(t)
                assigned.add(f)
        active += [Track([frame], [face]) for f, face in enumerate(faces) if f not in assigned]
        previous = frame
    return sorted(finished + active, key=lambda track: track.frames[0])


def weight(track: Track, *, width: int, height: int) -> float:
    """Return the sum, over a track's detections, of area share times centrality.

    The area share is the area of the face's box over the area of the image; centrality falls from 1
    in the middle of the image to 0 in its corners. So large, central and lasting faces weigh most.
    """
    middle = np.array([width, height]) / 2
    corner = float(np.hypot(*middle))
    return sum(
        face.side**2 / (width * height) * max(0.0, 1 - _norm(face.centre - middle) / corner)
        for face in track.faces
    )


def choose(
    tracks: Sequence[Track],
    speaker: Speaker,
    *,
    width: int,
    height: int,
) -> list[Track]:
    """Return the tracks that become clips: the one of greatest `weight`, the largest, or all."""
    if speaker == "all" or not tracks:
        return list(tracks)
    if speaker == "largest":
        return [max(tracks, key=lambda track: float(np.median([f.side for f in track.faces])))]
    return [max(tracks, key=lambda track: weight(track, width=width, height=height))]


def main_at_each_time(
    tracks: Iterable[Track], choose_main: Callable[[Sequence[Track]], Track]
) -> list[Track]:
    """Return tracks that do not overlap in time; where some do, only the main one."""
    left, chosen = [*tracks], []
    while left:
        main = choose_main(left)
        chosen.append(main)
        left = [t for t in left if t.frames[-1] < main.frames[0] or t.frames[0] > main.frames[-1]]
    return chosen


def _is_lost(track: Track, frame: int, previous: int, *, fps: float, max_gap: float) -> bool:
    """Return whether a track missed the previous look and ended too long ago to continue.

    A track that was found in the previous look continues, however far apart looks are.
    """
    return track.frames[-1] != previous and frame - track.frames[-1] > max_gap * fps


def _distance(track: Track, frame: int, face: Face, *, fps: float) -> float | None:
    """Return how far a face is from a track's predicted place, in sides; None if out of reach."""
    last = track.faces[-1]
    seconds = (frame - track.frames[-1]) / fps
    small, large = sorted((last.side, face.side))
    if small <= 0 or large > _GROWTH * small:
        return None
    distance = _norm(face.centre - track.predict_centre(frame)) / last.side
    return distance if distance <= _REACH + _SPEED * seconds else None


def _norm(vector: Floats) -> float:
    """Return the length of a vector."""
    return float(np.linalg.norm(vector))
