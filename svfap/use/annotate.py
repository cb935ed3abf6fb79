"""The annotated video: a box around each face, its label, and curves below the picture."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from svfap.overwriting import keep_inputs
from svfap.plots.palette import colours_of
from svfap.progress import track
from svfap.use.bundle import ModelFacts
from svfap.use.drawing import (
    WHITE,
    Colour,
    CurvePanel,
    draw_box,
    draw_label,
    to_rgb,
    window_centres,
)
from svfap.use.footage import Footage
from svfap.video.encode import write_video
from svfap.video.frame import Frame
from svfap.video.image import Image
from svfap.video.sampling import Indices
from svfap.video.sound import add_sound
from svfap.video.timing import Times

# These sizes were chosen by eye: a page stays small enough to send, and the curves' 7-point text
# stays legible.
_MAX_SIDE = 1280  # pixels of the picture's longer side; larger videos are shrunk
_CURVES_SHARE = 0.3  # height of the curves, as a share of the picture's height ...
_MIN_CURVES = 140  # ... but no less than this many pixels
# The longest time in seconds between a frame of a slow, uneven video and its place among the
# annotated frames. At 0.04 s one begins to see that lips and sound do not fit.
_MOST_OFF = 0.02
_MOST_REPEATS = 25  # most annotated frames in the time of one; reached below one frame per second
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
    """Write the annotated video as H.264 mp4, with the sound of the original if that decodes.

    Args:
        footage: the video and its faces.
        table: the scores of its windows, see `build_timeline`.
        facts: facts about the model, including the names of the targets.
        path: mp4 file to write.
        show_progress: whether to show a progress line.

    Raises:
        SvfapError: the video cannot be encoded, or `path` is the original.
    """
    keep_inputs([footage.path] if footage.path else [], [path])
    size = _annotated_size(footage)
    fps, shown = at_constant_rate(footage.times - footage.times[0], footage.fps)
    curves = CurvePanel(table, facts, size=(size.width, size.curves), seconds=footage.seconds)
    draw = partial(_draw_frame, footage=footage, labels=Labels(table, facts), size=size)
    ticks: Iterable[tuple[int, Frame]] = _repeated(footage.frames, shown)
    if show_progress:
        ticks = track(ticks, total=len(shown), label=path.name, unit="frame")
    pictures = (
        np.vstack([draw(frame, number, tick / fps), curves.at(tick / fps)])
        for tick, (number, frame) in enumerate(ticks)
    )
    write_video(path, pictures, fps=fps, crf=23)
    if footage.path and footage.path.is_file():  # a folder or an array of frames is silent
        start = float(footage.times[0])
        stream, seconds = footage.frames.stream, len(shown) / fps
        add_sound(path, footage.path, stream=stream, start=start, seconds=seconds)
    return size


def at_constant_rate(times: Times, fps: float) -> tuple[float, Indices]:
    """Choose the frames of a video at a constant rate, which browsers and the written mp4 assume.

    Args:
        times: seconds from the first frame to each frame, ascending.
        fps: frames per second of the clips.

    Returns:
        Frames per second, and the number of the frame that is shown at each tick. The rate is a
        multiple of `fps` if a slow, uneven video would be out of step with its sound at `fps`.
    """
    ticks, length = times * fps, times[-1] + 1 / fps  # the last frame is shown for one interval
    if np.abs(ticks - ticks.round()).max() > _MOST_OFF * fps:
        fps *= min(math.ceil(0.5 / (_MOST_OFF * fps)), _MOST_REPEATS)
    middles = (np.arange(max(1, round(length * fps))) + 0.5) / fps
    return fps, np.searchsorted(times, middles, side="right") - 1


def _repeated(frames: Iterable[Frame], shown: Indices) -> Iterator[tuple[int, Frame]]:
    """Yield frames with their numbers, each as often as it is shown."""
    for number, (frame, count) in enumerate(zip(frames, np.bincount(shown), strict=False)):
        yield from repeat((number, frame), int(count))


class Labels:
    """Texts above the box of each face, at any moment.

    Args:
        table: the scores of one video.
        facts: facts about the model, including the names of the targets.
    """

    def __init__(self, table: pd.DataFrame, facts: ModelFacts) -> None:
        self.names = list(facts.job.targets)
        self.has_classes = facts.job.task == "classification"
        self.colours = [to_rgb(colour) for colour in colours_of(self.names)]
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
