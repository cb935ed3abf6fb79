"""Figure of a regression: true against predicted values, with their agreement."""

from collections.abc import Sequence
from math import ceil
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from svfap.plots.style import STYLE, figure_of, save

_COLUMNS = 3
_MOST_POINTS = 2000  # more points make one cloud


def draw_scatter(
    true: NDArray[np.floating],
    predicted: NDArray[np.floating],
    remarks: Sequence[str],
    *,
    title: str,
    path: Path,
    notice: str = "",
) -> None:
    """Draw a panel per value: each point is a clip, and the diagonal is full agreement.

    Args:
        true: labels, (n, values).
        predicted: predictions, (n, values).
        remarks: name and agreement of each value, above its panel.
        title: title above the figure.
        path: PNG to write.
        notice: text at the foot.
    """
    columns = min(_COLUMNS, len(remarks))
    rows = ceil(len(remarks) / columns)
    step = ceil(len(true) / _MOST_POINTS)
    with mpl.rc_context(STYLE):
        figure = figure_of((max(3.6, 2.6 * columns), 2.6 * rows + 0.9), title, notice)
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes in grid[len(remarks) :]:
            axes.set_axis_off()
        for axes, remark, x, y in zip(grid, remarks, true.T, predicted.T, strict=False):
            axes.set_title(remark, fontsize=8)
            _draw_panel(axes, x[::step], y[::step])
        save(figure, path)


def _draw_panel(axes: Axes, true: NDArray[np.floating], predicted: NDArray[np.floating]) -> None:
    """Draw one value; both axes have the same scale."""
    ends = min(true.min(), predicted.min()), max(true.max(), predicted.max())
    room = 0.05 * (ends[1] - ends[0]) or 0.5
    limits = ends[0] - room, ends[1] + room
    axes.plot(limits, limits, color="#7F7F7F", linewidth=0.8, linestyle="--")
    axes.scatter(true, predicted, s=9, color="#0072B2", alpha=0.5, linewidths=0)
    axes.set(xlim=limits, ylim=limits, xlabel="true", ylabel="predicted")
    axes.set_aspect("equal")
    axes.locator_params(nbins=5)
