"""Draw sheets of face clips, to show whether crops are right."""

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
_INCHES = 2.4  # width of one strip
_DPI = 130  # frames of 78 pixels: a report of many sheets stays small
_LABEL = 40  # longest line below a strip, in letters


@dataclass(frozen=True)
class Strip:
    """A few frames of one clip side by side.

    Attributes:
        label: lines below the frames.
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
    blocks: Mapping[str, Sequence[Strip]],
    *,
    title: str,
    path: Path,
    notice: str = "",
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
    # These heights are in inches: 0.36 for a strip's label, 0.4 for a block's heading, 0.6 for the
    # title.
    strip_height = _INCHES * height / width + 0.36
    size = (_INCHES * _COLUMNS, strip_height * sum(rows) + 0.4 * len(rows) + 0.6)
    with mpl.rc_context(STYLE):
        figure = figure_of(size, title, notice, dpi=_DPI)
        parts = figure.subfigures(len(rows), 1, height_ratios=rows, squeeze=False)[:, 0]
        for part, (heading, strips), count in zip(parts, shown.items(), rows, strict=True):
            part.suptitle(heading, fontsize=9, x=0.01, ha="left")
            grid = part.subplots(count, _COLUMNS, squeeze=False).ravel()
            for axes in grid:
                axes.set_axis_off()
            for axes, strip in zip(grid, strips, strict=False):  # the last row may be incomplete
                axes.imshow(strip.picture, interpolation="lanczos")
                label = "\n".join(map(_shorten, strip.label.splitlines()))
                axes.text(0, -0.06, label, fontsize=7, va="top", transform=axes.transAxes)
        save(figure, path)


def _shorten(label: str) -> str:
    """Cut a long line on the left, since names of clips differ at their end."""
    return label if len(label) <= _LABEL else f"…{label[1 - _LABEL :]}"
