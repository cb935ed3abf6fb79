"""A video with its faces found: what is cropped for a model, and when it is shown."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from svfap.augment.crop_box import resize
from svfap.config import CropConfig
from svfap.faces.clips import FaceClip, cut_clips
from svfap.faces.detectors.detector import Detector
from svfap.faces.find_clips import find_clips
from svfap.progress import track
from svfap.use.bundle import Facts
from svfap.use.options import Options
from svfap.use.windows import Grid, Picture, gather, grid
from svfap.video.decode import Frame, Reject, declared_frames
from svfap.video.facevideo import encode_jpeg
from svfap.video.replay import Replay


@dataclass(frozen=True)
class Footage:
    """A video, the faces that are followed in it, and their windows.

    Attributes:
        path: the video.
        frames: its frames, to be read as often as needed.
        faces: number of the face in each clip, from 1.
        clips: where each face is in every frame, for drawing.
        thinned: the same for the frames that are sampled.
        grids: the windows of each clip.
        step: frames of the video from one sampled frame to the next.
        size: width and height of its first frame in pixels.
        seconds: its length.
    """

    path: Path
    frames: Replay
    faces: tuple[int, ...]
    clips: tuple[FaceClip, ...]
    thinned: tuple[FaceClip, ...]
    grids: tuple[Grid, ...]
    step: float
    size: tuple[int, int]
    seconds: float

    def __len__(self) -> int:
        """Number of windows."""
        return sum(len(grid.starts) for grid in self.grids)

    def span(self, clip: int, window: int) -> tuple[float, float]:
        """First and last second of a window."""
        places, of, fps = self.grids[clip], self.clips[clip], self.clips[clip].fps
        first = places.sampled[places.starts[window]]
        end = min(first + places.frames * self.step, len(of))
        return of.start + float(first) / fps, of.start + float(end) / fps

    def windows(self, *, quality: int, size: int) -> Iterator[tuple[int, int, Picture]]:
        """Number of the clip, number of its window and its frames (T, size, size, 3), RGB.

        Pictures pass through JPEG as those of the training clips did.
        """
        pictures = (
            (clip, as_stored(picture, quality=quality, size=size))
            for clip, picture in cut_clips(self.frames, self.thinned)
        )
        return gather(pictures, self.grids)


def find(
    path: Path,
    facts: Facts,
    options: Options,
    *,
    config: CropConfig,
    detector: Detector,
    shown: bool = False,
) -> Footage:
    """Look for faces in a video.

    Args:
        path: the video.
        facts: the model's sizes and preprocessing.
        options: how it is looked at.
        config: how to crop, see `crop_settings`.
        detector: finds and follows faces.
        shown: whether progress is.

    Raises:
        Reject: the video cannot be read, shows no face, or is shorter than a window.
    """
    frames = Replay(path)
    looked: Iterable[Frame] = frames
    if shown:
        total = declared_frames(path)
        looked = track(frames, total=total, label=f"{path.name}: faces", unit="frame")
    measured = _Measured(looked)
    clips = find_clips(path, config, detector, frames=measured)
    grids = [_grid(clip, facts, options) for clip in clips]
    kept = [pair for pair in zip(clips, grids, strict=True) if options.pad or not pair[1].padded]
    if not kept:
        raise Reject(_too_short(clips, facts))
    if options.speaker == "main":
        kept = _main(kept)
    clips, grids = [clip for clip, _ in kept], [grid for _, grid in kept]
    numbers = [1] * len(kept) if options.speaker == "main" else range(1, len(kept) + 1)
    return Footage(
        path, frames, tuple(numbers), tuple(clips),
        tuple(_thinned(clip, grid) for clip, grid in kept), tuple(grids),
        _step(clips[0], facts), measured.size, measured.last + 1 / clips[0].fps,
    )  # fmt: skip


class _Measured:
    """Frames that are measured as they pass.

    Attributes:
        size: width and height of the first in pixels.
        last: second at which the last is shown, counted from the first.
    """

    def __init__(self, frames: Iterable[Frame]) -> None:
        self._frames = frames
        self.size, self.last = (0, 0), 0.0

    def __iter__(self) -> Iterator[Frame]:
        first = None
        for number, frame in enumerate(self._frames):
            self.size = self.size if number else frame.size
            first = frame.seconds if first is None else first
            self.last = (frame.seconds or 0.0) - (first or 0.0)
            yield frame


def _step(clip: FaceClip, facts: Facts) -> float:
    """Frames of the video between two sampled frames: the same time as in training."""
    return max(1.0, facts.stride * clip.fps / (facts.fps or clip.fps))


def _grid(clip: FaceClip, facts: Facts, options: Options) -> Grid:
    frames, step = facts.job.model.num_frames, _step(clip, facts)
    hop = step * frames / 2 if options.hop is None else options.hop * clip.fps
    return grid(len(clip), frames=frames, step=step, hop=hop)


def _thinned(clip: FaceClip, grid: Grid) -> FaceClip:
    """The clip with no frames but those that are sampled."""
    return replace(clip, source=clip.source[grid.sampled], corners=clip.corners[grid.sampled])


def _too_short(clips: Sequence[FaceClip], facts: Facts) -> str:
    longest = max(clips, key=lambda clip: len(clip) / clip.fps)
    frames, step = facts.job.model.num_frames, _step(longest, facts)
    needed = ((frames - 1) * step + 1) / longest.fps
    return (
        f"a face is seen for {len(longest) / longest.fps:.2f} s, a window takes {needed:.2f} s;"
        " give a longer video, or --pad to repeat its last frame as testing does"
    )


def _main(kept: Sequence[tuple[FaceClip, Grid]]) -> list[tuple[FaceClip, Grid]]:
    """The main face of each moment: the weightiest clips that do not overlap in time."""
    chosen: list[tuple[FaceClip, Grid]] = []
    for clip, windows in sorted(kept, key=lambda pair: _weight(pair[0]), reverse=True):
        first, last = clip.source[0], clip.source[-1]
        if all(last < other.source[0] or first > other.source[-1] for other, _ in chosen):
            chosen.append((clip, windows))
    return sorted(chosen, key=lambda pair: pair[0].start)


def _weight(clip: FaceClip) -> float:
    """The sum of size times centrality over a clip, as `faces.track.weight` has it."""
    edges = np.abs(clip.corners[:, 1:] - clip.corners[:, :1]).max(axis=2).prod(axis=1)
    centres = clip.corners[:, 1:].mean(axis=1)
    off = np.linalg.norm(centres - 0.5, axis=1) / np.hypot(0.5, 0.5)
    return float((edges * np.maximum(0.0, 1 - off)).sum())


def as_stored(picture: Picture, *, quality: int, size: int) -> Picture:
    """A BGR picture as it comes out of a shard: through JPEG, RGB, scaled for the model."""
    data = np.frombuffer(encode_jpeg(picture, quality=quality), np.uint8)
    rgb = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB), dtype=np.uint8)
    scaled: Picture = resize(rgb[None], size)[0]
    return scaled
