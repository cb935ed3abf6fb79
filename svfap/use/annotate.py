"""The annotated video: a window around each face, its label, and curves below the picture."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from svfap.progress import track
from svfap.use.bundle import Facts
from svfap.use.drawing import CurvePanel, colours, label, moments, outline, rgb
from svfap.use.footage import Footage
from svfap.video.decode import Frame
from svfap.video.encode import write_video

_LONGEST = 1280  # pixels of a side of the picture
_STRIP = 0.3  # height of the curves, in heights of the picture ...
_LEAST = 140  # ... and at least so many pixels
_MOST_WORDS = 3
_PLAIN = (255, 255, 255)


@dataclass(frozen=True)
class Layout:
    """Sizes of an annotated video in pixels.

    Attributes:
        width: of the picture and of the curves.
        height: of the picture alone.
        strip: height of the curves below it.
    """

    width: int
    height: int
    strip: int


def annotate(
    footage: Footage, table: pd.DataFrame, facts: Facts, path: Path, *, shown: bool = False
) -> Layout:
    """Write the annotated video as H.264 mp4, with the sound of the original.

    Args:
        footage: the video and its faces.
        table: its windows, see `timeline`.
        facts: names of the targets.
        path: mp4 file to write.
        shown: whether progress is.

    Raises:
        SvfapError: the video cannot be encoded.
    """
    fps = footage.clips[0].fps
    layout = _layout(footage)
    strip = CurvePanel(table, facts, size=(layout.width, layout.strip), seconds=footage.seconds)
    draw = partial(_drawn, footage=footage, labels=Labels(table, facts), layout=layout)
    count = round(footage.seconds * fps)
    ticks: Iterable[tuple[int, Frame]] = steady(footage.frames, fps)
    if shown:
        ticks = track(ticks, total=count, label=path.name, unit="frame")
    pictures = (
        np.vstack([draw(frame, number, tick / fps), strip.at(tick / fps)])
        for tick, (number, frame) in enumerate(ticks)
    )
    sound = footage.path if footage.path.is_file() else None
    write_video(path, pictures, fps=fps, crf=23, sound=sound)
    return layout


def steady(frames: Iterable[Frame], fps: float) -> Iterator[tuple[int, Frame]]:
    """Frames with their numbers at a constant rate: repeated or left out where theirs varies."""
    first, ticks = None, 0
    before: tuple[int, Frame] | None = None
    for number, frame in enumerate(frames):
        first = frame.seconds if first is None else first
        seconds = number / fps if frame.seconds is None or first is None else frame.seconds - first
        while before is not None and seconds - ticks / fps > 0.5 / fps:
            yield before
            ticks += 1
        before = number, frame
    if before is not None:
        yield before


class Labels:
    """What stands at the window of each face at each moment.

    Args:
        table: the windows of one video.
        facts: names of the targets.
    """

    def __init__(self, table: pd.DataFrame, facts: Facts) -> None:
        self.names = list(facts.job.targets)
        self.classes = facts.job.task == "classification"
        self.paint = [rgb(colour) for colour in colours(len(self.names))]
        self.many = table["face"].nunique() > 1
        self.curves = {
            int(str(face)): (moments(rows), rows[self.names].to_numpy(np.float64))
            for face, rows in table.groupby("face")
        }

    def at(self, face: int, seconds: float) -> tuple[str, tuple[int, int, int]]:
        """Words and their colour."""
        times, scores = self.curves[face]
        now = [float(np.interp(seconds, times, column)) for column in scores.T]
        lead = f"{face}: " if self.many else ""
        if self.classes:
            best = int(np.argmax(now))
            return f"{lead}{self.names[best]} {now[best]:.0%}", self.paint[best]
        shown = list(zip(self.names, now, strict=True))[:_MOST_WORDS]
        words = "  ".join(f"{name} {value:.2f}" for name, value in shown)
        return f"{lead}{words}", _PLAIN


def _layout(footage: Footage) -> Layout:
    """Even sizes, no larger than need be."""
    shrink = min(1.0, _LONGEST / max(footage.size))
    width, height = (max(2, round(side * shrink / 2) * 2) for side in footage.size)
    return Layout(width, height, round(max(_LEAST, _STRIP * height) / 2) * 2)


def _drawn(
    frame: Frame, number: int, seconds: float, *, footage: Footage, labels: Labels, layout: Layout
) -> NDArray[np.uint8]:
    """One frame with its windows and labels, RGB."""
    size = layout.width, layout.height
    shown = cv2.resize(frame.bgr(_LONGEST), size)
    picture: NDArray[np.uint8] = np.ascontiguousarray(shown[..., ::-1], dtype=np.uint8)
    for face, clip in zip(footage.faces, footage.clips, strict=True):
        place = int(np.searchsorted(clip.source, number))
        if place < len(clip) and clip.source[0] <= number:
            corners = clip.corners[place] * size
            words, colour = labels.at(face, seconds)
            outline(picture, corners, colour)
            label(picture, words, corners, colour)
    return picture
