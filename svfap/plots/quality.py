"""Draw the distribution of each quality figure of face clips, with its unit."""

import math
from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from svfap.plots.style import STYLE, figure_of, save

# Figure -> its name and unit in words.
MEANINGS: Mapping[str, tuple[str, str]] = {
    "frames": ("length", "frames"),
    "detection_rate": ("frames with a detection", "share"),
    "score": ("detection score", "0 to 1"),
    "face_size": ("face width in the video", "pixels"),
    "jitter": ("shaking of the crop", "pixels of the clip"),
    "raw_jitter": ("shaking before smoothing", "pixels of the clip"),
    "blur": ("blur", "0 sharp, 1 blurred"),
    "yaw": ("head turned sideways", "degrees"),
    "pitch": ("head turned up or down", "degrees"),
    "roll": ("head tilted", "degrees"),
    "coverage": ("frames of the video in the clip", "share"),
    "cuts": ("cuts in the video", "number"),
    "people": ("people in the video", "number"),
    "missing": ("frames that do not decode", "share"),
    "faceless": ("frames without the face", "share"),
}
_COLUMNS = 4
_BINS, _FEWEST_BINS = 30, 6


def draw_quality(quality: pd.DataFrame, *, title: str, path: Path) -> None:
    """Draw a histogram of each figure that differs between clips; list the others below.

    Args:
        quality: a row per clip, a column per figure; at least one clip.
        title: text at the top.
        path: PNG to write.
    """
    constant = [name for name in map(str, quality) if quality[name].nunique() == 1]
    names = [name for name in map(str, quality) if name not in constant]
    listed = ", ".join(f"{_name(name)} {_value(name, quality[name].iloc[0])}" for name in constant)
    foot = f"The same for every clip: {listed}." if listed else ""
    # The last row may have fewer histograms, which then are wider: no place stays empty.
    rows = max(1, math.ceil(len(names) / _COLUMNS))
    per_row = [len(names[row::rows]) for row in range(rows)]
    with mpl.rc_context(STYLE):
        figure = figure_of((2.2 * _COLUMNS, 1.6 * rows + 0.7), title, foot)
        grid = figure.add_gridspec(rows, math.lcm(*filter(None, per_row), 1))
        placed = iter(names)
        for row, count in enumerate(per_row):
            width = grid.ncols // max(count, 1)
            for column in range(count):
                axes = figure.add_subplot(grid[row, column * width : (column + 1) * width])
                name = next(placed)
                _histogram(axes, name, quality[name].to_numpy(np.float64))
                if not column:
                    axes.set_ylabel("clips", fontsize=7)
        save(figure, path)


def _histogram(axes: Axes, name: str, values: np.ndarray) -> None:
    """Draw one histogram with its median; whole numbers have a bar each."""
    low, high = values.min(), values.max()
    whole = bool((values == values.round()).all()) and high - low < _BINS
    count = min(_BINS, max(_FEWEST_BINS, round(2 * len(values) ** 0.5)))  # few clips: few bars
    bins = np.arange(low, high + 2) - 0.5 if whole else np.linspace(low, high, count + 1)
    axes.hist(values, bins=list(bins), color="#0072B2", rwidth=0.8 if whole else 1)
    median = float(np.median(values))
    axes.axvline(median, color="#D55E00", linewidth=1)
    axes.set_title(_name(name), fontsize=8)
    axes.set_xlabel(
        f"{MEANINGS.get(name, ('', ''))[1]}, median {median:.3g}".lstrip(", "), fontsize=7
    )
    axes.locator_params(axis="y", nbins=4, integer=True)
    axes.locator_params(axis="x", nbins=4, integer=whole)
    axes.tick_params(labelsize=7)


def _value(figure: str, value: float) -> str:
    """Return a value of a figure as text; a share in per cent."""
    return f"{value:.0%}" if MEANINGS.get(figure, ("", ""))[1] == "share" else f"{value:g}"


def _name(figure: str) -> str:
    """Return a figure's name in words; a figure without one has its column's name."""
    return MEANINGS.get(figure, (figure.replace("_", " "), ""))[0]
