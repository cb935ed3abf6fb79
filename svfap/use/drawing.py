"""Draw boxes and labels on the frames of annotated videos, and curves below them."""

import io
import textwrap
from functools import cache, lru_cache
from itertools import groupby
from operator import itemgetter

import cv2
import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from svfap.plots.fonts import characters, complete_fonts, fonts_for
from svfap.plots.palette import colours_of
from svfap.plots.style import STYLE
from svfap.use.bundle import ModelFacts
from svfap.use.card import each
from svfap.video.image import Image

Colour = tuple[int, int, int]

MAX_FACES = 3  # most faces with curves of their own; more curves would be too flat to read
WHITE: Colour = (255, 255, 255)
_CURSOR: Colour = (200, 0, 0)
_DPI = 100
_NAME_LETTER = 0.66 * 7 / 72  # width of a letter of a bold name of 7 points in inches, at most
_MOST_LINES = 4  # of the notice
_NOTICE_SIZE = 6  # points
_LETTER = 0.6 * _NOTICE_SIZE / 72  # width of a letter of the notice in inches, at most
_LINE = 1.3 * _NOTICE_SIZE / 72  # height of a line of the notice in inches


def to_rgb(colour: str) -> Colour:
    """Return red, green and blue of a colour #RRGGBB."""
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue


def window_centres(rows: pd.DataFrame) -> NDArray[np.float64]:
    """Return the middle of each window in seconds, where curves show its scores."""
    middles: NDArray[np.float64] = rows[["start", "end"]].mean(axis=1).to_numpy(np.float64)
    return middles


def score_range(table: pd.DataFrame, facts: ModelFacts) -> tuple[float, float]:
    """Return the lower and upper end of the curves' vertical axis."""
    if facts.job.task == "classification" or facts.job.finetune.activation == "sigmoid":
        return 0.0, 1.0
    if facts.job.finetune.activation == "tanh":
        return -1.0, 1.0
    values = table[list(facts.job.targets)].to_numpy()
    low, high = float(values.min()), float(values.max())
    room = 0.05 * (high - low) or 0.5
    return low - room, high + room


class CurvePanel:
    """Curves of all targets over a whole video, with a line at the present moment.

    Matplotlib draws the curves once; each frame only adds the line.

    Args:
        table: the scores of one video.
        facts: facts about the model, including the names of the targets.
        size: width and height in pixels.
        seconds: length of the video.
    """

    def __init__(
        self, table: pd.DataFrame, facts: ModelFacts, *, size: tuple[int, int], seconds: float
    ) -> None:
        self.seconds = seconds
        with mpl.rc_context(STYLE):
            figure = Figure(figsize=(size[0] / _DPI, size[1] / _DPI), dpi=_DPI)
            FigureCanvasAgg(figure)  # pyplot would keep every figure in memory
            _plot_curves(figure, table, facts, seconds)
            drawn = io.BytesIO()
            with complete_fonts(figure):
                figure.savefig(drawn, format="rgba")
        pixels = np.frombuffer(drawn.getvalue(), np.uint8)
        self._drawn = pixels.reshape(size[1], size[0], 4)[..., :3]
        edges = figure.subplotpars
        self._left, self._right = edges.left * size[0], edges.right * size[0]
        self._bottom = round((1 - edges.bottom) * size[1])

    def at(self, seconds: float) -> Image:
        """Return the panel at a moment, RGB."""
        picture = self._drawn.copy()
        share = min(max(seconds / self.seconds, 0.0), 1.0)
        x = round(self._left + share * (self._right - self._left))
        picture[: self._bottom, max(0, x - 1) : x + 1] = _CURSOR
        return picture


def _plot_curves(figure: Figure, table: pd.DataFrame, facts: ModelFacts, seconds: float) -> None:
    """Plot the faces with the most windows, one above the other, and a legend of the targets."""
    names = list(facts.job.targets)
    faces = table["face"].value_counts(sort=True).index[:MAX_FACES].sort_values()
    every = figure.subplots(len(faces), 1, sharex=True, squeeze=False)[:, 0]
    width, height = figure.get_size_inches()
    notice = textwrap.wrap(facts.notices, max(20, int(width / _LETTER)), max_lines=_MOST_LINES)
    # The names stand at the right of the curves, the notice below the labels of the axis.
    right = max(0.5, 1 - (0.25 + max(map(len, names)) * _NAME_LETTER) / width)
    bottom = min(0.6, (0.36 + len(notice) * _LINE) / height)
    figure.subplots_adjust(
        left=max(0.06, 0.42 / width), right=right, top=0.92, bottom=bottom, hspace=0.15
    )
    for axes, face in zip(every, faces, strict=True):
        _plot_face(axes, table[table["face"] == face].sort_values("start"), names)
        axes.set(xlim=(0, seconds), ylim=score_range(table, facts))
        axes.tick_params(labelsize=7)
        if len(faces) > 1:
            axes.set_ylabel(f"face {face}", fontsize=7)
    for number, (name, colour) in enumerate(zip(names, colours_of(names), strict=True)):
        y = 0.92 - 0.8 * number / max(len(names), 6)
        figure.text(
            right + 0.18 / width, y, name, color=colour, fontsize=7, va="top", fontweight="bold"
        )
    about = f"seconds; a score sees {facts.job.model.num_frames} frames, {each(facts.stride)}"
    label = about if len(about) * _LETTER < width else "seconds"
    every[-1].set_xlabel(label, fontsize=7, labelpad=0)
    text = "\n".join(notice)
    figure.text(0.01, 0.02, text, fontsize=_NOTICE_SIZE, style="italic", linespacing=1.15)


def _plot_face(axes: Axes, rows: pd.DataFrame, names: list[str]) -> None:
    """Plot the scores of one face; curves break where the face was not seen."""
    gaps = (rows["start"] > rows["end"].shift()).cumsum()
    for _, part in rows.groupby(gaps):
        for name, colour in zip(names, colours_of(names), strict=True):
            marker = "o" if len(part) == 1 else ""  # a line through one point is invisible
            axes.plot(window_centres(part), part[name], colour, lw=1.4, marker=marker, ms=3)


def draw_box(picture: Image, corners: NDArray[np.float64], colour: Colour) -> None:
    """Draw the box of a face crop into a picture.

    Args:
        picture: RGB picture, which is changed in place.
        corners: top left, top right and bottom left corner, (3, 2) in pixels.
        colour: colour of the lines.
    """
    fourth = corners[1] + corners[2] - corners[0]
    points = np.stack([corners[0], corners[1], fourth, corners[2]]).round().astype(np.int32)
    thickness = max(1, round(min(picture.shape[:2]) / 240))
    cv2.polylines(picture, [points], True, colour, thickness, cv2.LINE_AA)


def draw_label(picture: Image, text: str, corners: NDArray[np.float64], colour: Colour) -> None:
    """Write a text above the box of a face, moved and cut to fit the picture.

    Args:
        picture: RGB picture, which is changed in place.
        text: the text.
        corners: corners of the box, see `draw_box`.
        colour: colour of the background.
    """
    label = _render_label(text, colour, max(11, round(min(picture.shape[:2]) / 26)))
    height, width = np.minimum(label.shape, picture.shape)[:2]
    left = int(np.clip(corners[:, 0].min(), 0, picture.shape[1] - width))
    top = int(np.clip(corners[:, 1].min() - height, 0, picture.shape[0] - height))
    picture[top : top + height, left : left + width] = label[:height, :width]


@cache
def _font(path: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size)


def _parts(text: str) -> list[tuple[str, str]]:
    """Split a text into parts of one font each; return the parts with their font files."""
    fonts = fonts_for(text)
    chosen = [next((f for f in fonts if c in characters(f)), fonts[0]) for c in text]
    groups = groupby(zip(text, chosen, strict=True), key=itemgetter(1))
    return [("".join(c for c, _ in group), font) for font, group in groups]


@lru_cache(maxsize=1000)  # frames in a row have mostly the same labels
def _render_label(text: str, background: Colour, size: int) -> Image:
    """Return a text on a coloured background, RGB."""
    parts = [(part, _font(path, size)) for part, path in _parts(text)]
    width = sum(font.getlength(part) for part, font in parts)
    image = PillowImage.new("RGB", (round(width) + size, round(1.5 * size)), background)
    red, green, blue = background
    luma = 0.299 * red + 0.587 * green + 0.114 * blue  # ITU-R BT.601
    colour = "black" if luma > 150 else "white"
    draw = ImageDraw.Draw(image)
    left, baseline = size / 2, 1.1 * size
    for part, font in parts:
        draw.text((left, baseline), part, colour, font, anchor="ls")
        left += font.getlength(part)
    return np.asarray(image, dtype=np.uint8)
