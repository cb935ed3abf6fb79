"""Draw sheets of clips and histograms of their figures, to show whether crops are right."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from svfap.plots.style import STYLE, figure_of, save

# Clips are ranked by these figures. High values of the first three are good; high values of the
# others are bad.
BETTER_HIGH = ("detection_rate", "score", "face_size")
BETTER_LOW = ("jitter", "blur", "yaw", "pitch", "missing")
_COLUMNS = 3  # strips in a row
_INCHES = 3.4  # width of one strip
_LABEL = 34  # longest label below a strip, in letters
_HISTOGRAM_COLUMNS = 4


@dataclass(frozen=True)
class Strip:
    """A few frames of one clip side by side.

    Attributes:
        label: text below the frames.
        picture: RGB picture, (height, width, 3).
    """

    label: str
    picture: NDArray[np.uint8]


def rank(quality: pd.DataFrame) -> pd.DataFrame:
    """Sort clips from the worst to the best, by the mean of their ranks in eight figures."""
    ranks = [quality[name].rank(pct=True) for name in BETTER_HIGH]
    ranks += [quality[name].rank(pct=True, ascending=False) for name in BETTER_LOW]
    mean = pd.concat(ranks, axis=1).mean(axis=1)
    # In a stable sort, clips of equal rank keep their order, so the sheet is the same every time.
    return quality.iloc[np.argsort(mean.to_numpy(), kind="stable")]


def draw_contact_sheet(
    blocks: Mapping[str, Sequence[Strip]], *, title: str, path: Path, notice: str = ""
) -> None:
    """Draw blocks of strips under their headings.

    Args:
        blocks: heading -> strips of one size.
        title: text at the top.
        path: PNG to write.
        notice: text at the bottom, for example that the data are synthetic.
    """
    shown = {heading: strips for heading, strips in blocks.items() if strips}
    rows = [math.ceil(len(strips) / _COLUMNS) for strips in shown.values()]
    height, width = next(iter(shown.values()))[0].picture.shape[:2]
    # These heights are in inches: 0.28 for a strip's label, 0.4 for a block's heading, 0.6 for the
    # title.
    strip_height = _INCHES * height / width + 0.28
    size = (_INCHES * _COLUMNS, strip_height * sum(rows) + 0.4 * len(rows) + 0.6)
    with mpl.rc_context(STYLE):
        figure = figure_of(size, title, notice)
        parts = figure.subfigures(len(rows), 1, height_ratios=rows, squeeze=False)[:, 0]
        for part, (heading, strips), count in zip(parts, shown.items(), rows, strict=True):
            part.suptitle(heading, fontsize=9, x=0.01, ha="left")
            grid = part.subplots(count, _COLUMNS, squeeze=False).ravel()
            for axes in grid:
                axes.set_axis_off()
            for axes, strip in zip(grid, strips, strict=False):  # the last row may be incomplete
                axes.imshow(strip.picture, interpolation="lanczos")
                label = _shorten(strip.label)
                axes.text(0, -0.06, label, fontsize=7, va="top", transform=axes.transAxes)
        save(figure, path)


def draw_histograms(quality: pd.DataFrame, *, title: str, path: Path, notice: str = "") -> None:
    """Draw the distribution of each figure over the clips.

    Args:
        quality: a row per clip, a column per figure.
        title: text at the top.
        path: PNG to write.
        notice: text at the bottom, for example that the data are synthetic.
    """
    names = list(quality.columns)
    rows = math.ceil(len(names) / _HISTOGRAM_COLUMNS)
    with mpl.rc_context(STYLE):
        figure = figure_of((2.3 * _HISTOGRAM_COLUMNS, 1.6 * rows + 0.6), title, notice)
        grid = figure.subplots(rows, _HISTOGRAM_COLUMNS, squeeze=False).ravel()
        for axes in grid[len(names) :]:
            axes.set_axis_off()
        for axes, name in zip(grid, names, strict=False):
            values = quality[name].to_numpy(dtype=np.float64)
            axes.hist(values, bins=30, color="#0072B2")
            axes.axvline(float(np.median(values)), color="#D55E00", linewidth=1)
            axes.set_title(f"{name.replace('_', ' ')}: {np.median(values):.3g}", fontsize=8)
            axes.locator_params(nbins=4)
            axes.tick_params(labelsize=7)
        figure.supylabel("clips", fontsize=8)
        save(figure, path)


def _shorten(label: str) -> str:
    """Cut a long label on the left: the figures at its end are more useful than the key's start."""
    return label if len(label) <= _LABEL else f"…{label[1 - _LABEL :]}"
