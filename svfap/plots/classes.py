"""Figures of the accuracy by class: confusion matrix and bars.

A dataset's notice is printed at the foot of its figures.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from svfap.plots.palette import SHADES
from svfap.plots.style import STYLE, figure_of, in_lines, save


def draw_confusion(
    matrix: NDArray[np.integer],
    classes: Sequence[str],
    *,
    title: str,
    path: Path,
    notice: str = "",
) -> None:
    """Draw a row-normalised confusion matrix: per cent of each true class, and numbers of clips.

    Args:
        matrix: clips by true class (rows) and predicted class (columns), (c, c).
        classes: names of the classes in index order.
        title: title above the figure.
        path: PNG to write.
        notice: text at the foot, for example that the data are synthetic.
    """
    counts = np.asarray(matrix, dtype=np.int64)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)
    with mpl.rc_context(STYLE):
        figure = figure_of(confusion_size(len(classes)), title, notice)
        axes = figure.add_subplot()
        blues = mpl.colormaps["Blues"].with_extremes(bad="#e6e6e6")
        image = axes.imshow(shares, cmap=blues, vmin=0, vmax=1)
        ticks = range(len(classes))
        labels = in_lines(classes)
        names = [f"{name}\n{n:,}" for name, n in zip(labels, totals[:, 0], strict=True)]
        axes.set_xticks(ticks, labels, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(ticks, names)
        axes.set_xlabel("predicted class")
        axes.set_ylabel("true class, number of clips")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        _annotate(axes, shares, counts)
        bar = figure.colorbar(image, ax=axes, shrink=0.7, aspect=30, pad=0.02)
        bar.set_ticks([0, 0.5, 1], labels=["0 %", "50 %", "100 %"])
        bar.outline.set_visible(False)
        save(figure, path)


def confusion_size(num_classes: int) -> tuple[float, float]:
    """Return width and height in inches of a confusion matrix with this number of classes."""
    side = max(3.6, 0.62 * num_classes + 1.0)
    return side + 1.0, side + 0.4


def draw_class_bars(
    results: Mapping[str, Sequence[float]],
    classes: Sequence[str],
    *,
    title: str,
    path: Path,
    notice: str = "",
) -> None:
    """Draw the accuracy of each class as bars, one shade per model, and chance as a line.

    Args:
        results: name of a model -> per cent of each class, our model first; nan where a class never
            occurs.
        classes: names of the classes in index order.
        title: title above the figure.
        path: PNG to write.
        notice: text at the foot.
    """
    width = 0.8 / len(results)
    with mpl.rc_context(STYLE):
        size = (max(4.4, 0.19 * len(classes) * (len(results) + 1.2) + 1.2), 3.6)
        figure = figure_of(size, title, notice)
        axes = figure.add_subplot()
        for number, (model, values) in enumerate(results.items()):
            places = np.arange(len(classes)) + (number - (len(results) - 1) / 2) * width
            bars = axes.bar(places, values, 0.92 * width, color=SHADES[number], label=model)
            labels = ["" if np.isnan(value) else f"{value:.0f}" for value in values]
            axes.bar_label(bars, labels, padding=1, fontsize=6)
        axes.set_xticks(
            range(len(classes)), in_lines(classes), rotation=30, ha="right", rotation_mode="anchor"
        )
        _draw_chance(axes, 100 / len(classes))
        axes.set_xlim(-0.6, len(classes) - 0.4)
        axes.set_ylim(0, 108)
        axes.set_yticks(range(0, 101, 20))
        axes.set_ylabel("recognised, per cent")
        axes.grid(axis="y", color="#e0e0e0", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(axis="x", length=0)
        if len(results) > 1:
            axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(results), borderpad=0.1)
        save(figure, path)


def _draw_chance(axes: Axes, chance: float) -> None:
    """Draw a line at the mean accuracy of one answer for all clips."""
    axes.axhline(chance, color="#D55E00", linewidth=1, linestyle="--")
    axes.annotate(
        f"chance {chance:.0f}",
        (1, chance),
        xycoords=("axes fraction", "data"),
        xytext=(2, 0),
        textcoords="offset points",
        va="center",
        size=6,
        color="#D55E00",
    )


def _annotate(axes: Axes, shares: NDArray[np.float64], counts: NDArray[np.int64]) -> None:
    """Write per cent and, below it, the number of clips into every cell that has clips."""
    for (row, column), share in np.ndenumerate(shares):
        if np.isnan(share) or not counts[row, column]:
            continue
        text = f"{100 * share:.1f}" if share < 0.9995 else "100"
        colour = "white" if share > 0.55 else "#202020"  # readable on the dark and light blues
        weight = "bold" if row == column else "normal"
        for label, size, shift in ((text, 8, 4), (f"{counts[row, column]:,}", 6, -7)):
            axes.annotate(
                label,
                (column, row),
                xytext=(0, shift),
                textcoords="offset points",
                ha="center",
                va="center",
                color=colour,
                size=size,
                weight=weight if size == 8 else "normal",
            )
