"""The annotated video: a box around each face, its label, and curves below the picture."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from svfap.overwriting import keep_inputs
from svfap.progress import track
from svfap.use.bundle import ModelFacts
from svfap.use.drawing import (
    WHITE,
    Colour,
    CurvePanel,
    draw_box,
    draw_label,
    target_colours,
    to_rgb,
    window_centres,
)
from svfap.use.footage import Footage
from svfap.video.encode import write_video
from svfap.video.frame import Frame
from svfap.video.image import Image

# These sizes were chosen by eye: a page stays small enough to send, and the curves' 7-point text
# stays legible.
_MAX_SIDE = 1280  # pixels of the picture's longer side; larger videos are shrunk
_CURVES_SHARE = 0.3  # height of the curves, as a share of the picture's height ...
_MIN_CURVES = 140  # ... but no less than this many pixels
_MAX_VALUES = 3  # most regressed values in a label; more would be wider than a small video


@dataclass(frozen=True)
class AnnotatedSize:
    """Sizes of an annotated video in pixels.

    Attributes:
        width: width of the video.
        height: height of the picture, without the curves.
        curves: height of the curves below the picture.
    """

    width: int
    height: int
    curves: int


def annotate(
    footage: Footage,
    table: pd.DataFrame,
    facts: ModelFacts,
    path: Path,
    *,
    show_progress: bool = False,
) -> AnnotatedSize:
    """Write the annotated video as H.264 mp4, with the sound of the original.

    Args:
        footage: the video and its faces.
        table: the scores of its windows, see `build_timeline`.
        facts: facts about the model, including the names of the targets.
        path: mp4 file to write.
        show_progress: whether to show a progress line.

    Raises:
        SvfapError: the video cannot be encoded, or `path` is the original.
    """
    keep_inputs([footage.path], [path])
    fps, size = footage.fps, _annotated_size(footage)
    curves = CurvePanel(table, facts, size=(size.width, size.curves), seconds=footage.seconds)
    draw = partial(_draw_frame, footage=footage, labels=Labels(table, facts), size=size)
    ticks: Iterable[tuple[int, Frame]] = at_constant_rate(footage.frames, fps)
    if show_progress:
        total = round(footage.seconds * fps)
        ticks = track(ticks, total=total, label=path.name, unit="frame")
    pictures = (
        np.vstack([draw(frame, number, tick / fps), curves.at(tick / fps)])
        for tick, (number, frame) in enumerate(ticks)
    )
    sound = footage.path if footage.path.is_file() else None  # a folder of frames is silent
    write_video(path, pictures, fps=fps, crf=23, sound=sound)
    return size


def at_constant_rate(frames: Iterable[Frame], fps: float) -> Iterator[tuple[int, Frame]]:
    """Yield numbered frames at a constant rate: repeat or drop frames of an uneven video.

    Browsers and the written mp4 assume a constant rate; without it, sound and curves would drift.
    """
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
    """Texts above the box of each face, at any moment.

    Args:
        table: the scores of one video.
        facts: facts about the model, including the names of the targets.
    """

    def __init__(self, table: pd.DataFrame, facts: ModelFacts) -> None:
        self.names = list(facts.job.targets)
        self.has_classes = facts.job.task == "classification"
        self.colours = [to_rgb(colour) for colour in target_colours(len(self.names))]
        self.several_faces = table["face"].nunique() > 1
        self.curves = {
            int(str(face)): (window_centres(rows), rows[self.names].to_numpy(np.float64))
            for face, rows in table.groupby("face")
        }

    def at(self, face: int, seconds: float) -> tuple[str, Colour]:
        """Return the text and colour of a face; scores are interpolated between windows."""
        times, scores = self.curves[face]
        now = [float(np.interp(seconds, times, column)) for column in scores.T]
        prefix = f"{face}: " if self.several_faces else ""
        if self.has_classes:
            best = int(np.argmax(now))
            return f"{prefix}{self.names[best]} {now[best]:.0%}", self.colours[best]
        values = list(zip(self.names, now, strict=True))[:_MAX_VALUES]
        text = "  ".join(f"{name} {value:.2f}" for name, value in values)
        return f"{prefix}{text}", WHITE


def _annotated_size(footage: Footage) -> AnnotatedSize:
    """Return the sizes, smaller for large videos, and even, as H.264 with 4:2:0 colour requires."""
    shrink = min(1.0, _MAX_SIDE / max(footage.size))
    width, height = (max(2, round(side * shrink / 2) * 2) for side in footage.size)
    return AnnotatedSize(width, height, round(max(_MIN_CURVES, _CURVES_SHARE * height) / 2) * 2)


def _draw_frame(
    frame: Frame,
    number: int,
    seconds: float,
    *,
    footage: Footage,
    labels: Labels,
    size: AnnotatedSize,
) -> Image:
    """Return a frame with boxes and labels, RGB."""
    sides = size.width, size.height
    resized = cv2.resize(frame.bgr(_MAX_SIDE), sides)
    picture: Image = np.ascontiguousarray(resized[..., ::-1], dtype=np.uint8)
    for face in footage.faces:
        clip = face.clip
        # If the clip has fewer frames per second than the video, it lacks some frames of the video.
        # Those frames show the box of the clip's next frame.
        index = int(np.searchsorted(clip.source, number))
        if index < len(clip) and clip.source[0] <= number:
            corners = clip.corners[index] * sides
            text, colour = labels.at(face.number, seconds)
            draw_box(picture, corners, colour)
            draw_label(picture, text, corners, colour)
    return picture
