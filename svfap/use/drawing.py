"""What is drawn over and under the frames of an annotated video: labels, outlines, curves."""

import io
from functools import cache
from itertools import cycle, islice
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from svfap.plots.style import OKABE_ITO, STYLE
from svfap.use.bundle import Facts

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]

MOST_FACES = 3  # in the curves
_DPI = 100
_MARGINS = {"left": 0.06, "right": 0.84, "top": 0.92, "bottom": 0.26, "hspace": 0.15}
_PALETTE = (*OKABE_ITO[:6], "#8C564B", "#7F7F7F", "#332288", "#999933", "#AA4499", "#44AA99")


def colours(count: int) -> list[str]:
    """A colour for each target, as #RRGGBB."""
    return list(islice(cycle(_PALETTE), count))


def rgb(colour: str) -> Colour:
    """#RRGGBB as numbers."""
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue


def moments(rows: pd.DataFrame) -> NDArray[np.float64]:
    """The middle of each window in seconds, where its scores stand."""
    middles: NDArray[np.float64] = rows[["start", "end"]].mean(axis=1).to_numpy(np.float64)
    return middles


def limits(table: pd.DataFrame, facts: Facts) -> tuple[float, float]:
    """The least and the greatest value that curves show."""
    if facts.job.task == "classification" or facts.job.finetune.activation == "sigmoid":
        return 0.0, 1.0
    if facts.job.finetune.activation == "tanh":
        return -1.0, 1.0
    values = table[list(facts.job.targets)].to_numpy()
    low, high = float(values.min()), float(values.max())
    room = 0.05 * (high - low) or 0.5
    return low - room, high + room


class CurvePanel:
    """Curves of all targets over the whole video, with a line at the present moment.

    Args:
        table: the windows of one video.
        facts: names of the targets.
        size: width and height in pixels.
        seconds: length of the video.
    """

    def __init__(
        self, table: pd.DataFrame, facts: Facts, *, size: tuple[int, int], seconds: float
    ) -> None:
        self.seconds = seconds
        with mpl.rc_context(STYLE):
            figure = Figure(figsize=(size[0] / _DPI, size[1] / _DPI), dpi=_DPI)
            FigureCanvasAgg(figure)
            _curves(figure, table, facts, seconds)
            drawn = io.BytesIO()
            figure.savefig(drawn, format="rgba")
        pixels = np.frombuffer(drawn.getvalue(), np.uint8)
        self._drawn = pixels.reshape(size[1], size[0], 4)[..., :3]
        self._left, self._right = (_MARGINS[side] * size[0] for side in ("left", "right"))

    def at(self, seconds: float) -> Picture:
        """The strip at a moment, RGB."""
        picture = self._drawn.copy()
        share = min(max(seconds / self.seconds, 0.0), 1.0)
        x = round(self._left + share * (self._right - self._left))
        picture[:, max(0, x - 1) : x + 1] = (200, 0, 0)
        return picture


def _curves(figure: Figure, table: pd.DataFrame, facts: Facts, seconds: float) -> None:
    """One diagram for each of the faces that are seen longest."""
    names = list(facts.job.targets)
    faces = table["face"].value_counts(sort=True).index[:MOST_FACES].sort_values()
    every = figure.subplots(len(faces), 1, sharex=True, squeeze=False)[:, 0]
    figure.subplots_adjust(**_MARGINS)
    for axes, face in zip(every, faces, strict=True):
        rows = table[table["face"] == face].sort_values("start")
        gaps = (rows["start"] > rows["end"].shift()).cumsum()
        for _, part in rows.groupby(gaps):
            for name, colour in zip(names, colours(len(names)), strict=True):
                marker = "o" if len(part) == 1 else ""
                axes.plot(moments(part), part[name], colour, lw=1.4, marker=marker, ms=3)
        axes.set(xlim=(0, seconds), ylim=limits(table, facts))
        axes.tick_params(labelsize=7)
        if len(faces) > 1:
            axes.set_ylabel(f"face {face}", fontsize=7)
    for number, (name, colour) in enumerate(zip(names, colours(len(names)), strict=True)):
        y = 0.92 - 0.8 * number / max(len(names), 6)
        figure.text(0.85, y, name, color=colour, fontsize=7, va="top", fontweight="bold")
    every[-1].set_xlabel("seconds", fontsize=7, labelpad=0)
    figure.text(0.995, 0.01, facts.notices, fontsize=6, style="italic", ha="right")


def outline(picture: Picture, corners: NDArray[np.float64], colour: Colour) -> None:
    """Draw a window, its corners (3, 2) in pixels, into a picture."""
    fourth = corners[1] + corners[2] - corners[0]
    points = np.stack([corners[0], corners[1], fourth, corners[2]]).round().astype(np.int32)
    thickness = max(1, round(min(picture.shape[:2]) / 240))
    cv2.polylines(picture, [points], True, colour, thickness, cv2.LINE_AA)


def label(picture: Picture, words: str, corners: NDArray[np.float64], colour: Colour) -> None:
    """Write words above a window, as far as there is room."""
    tag = _tag(words, colour, max(11, round(min(picture.shape[:2]) / 26)))
    height, width = np.minimum(tag.shape, picture.shape)[:2]
    left = int(np.clip(corners[:, 0].min(), 0, picture.shape[1] - width))
    top = int(np.clip(corners[:, 1].min() - height, 0, picture.shape[0] - height))
    picture[top : top + height, left : left + width] = tag[:height, :width]


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(Path(mpl.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"), size)


def _tag(words: str, colour: Colour, size: int) -> Picture:
    """Words on a ground of a colour, RGB."""
    left, _, right, _ = _font(size).getbbox(words)
    image = Pillow.new("RGB", (round(right - left) + size, round(1.5 * size)), colour)
    light = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] > 150
    ImageDraw.Draw(image).text((size // 2, 0.1 * size), words, "black" if light else "white",
                               _font(size))  # fmt: skip
    return np.asarray(image, dtype=np.uint8)
