"""More figures of the report: accuracy by class, and maps of embeddings.

A dataset's notice stands at the foot of its figures.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from svfap.canvas import OKABE_ITO, STYLE, figure_of, save

_SIGNS = ("o", "^", "s")


def class_bars(
    results: Mapping[str, Sequence[float]],
    classes: Sequence[str],
    *,
    title: str,
    path: Path,
    notice: str = "",
) -> None:
    """Draw the accuracy of each class as bars, a colour for each model.

    Args:
        results: model -> per cent of each class, ours first; nan where a class never occurs.
        classes: names in index order, with their numbers of clips if wanted.
        title: stands above.
        path: PNG to write.
        notice: stands at the foot.
    """
    width = 0.8 / len(results)
    with mpl.rc_context(STYLE):
        size = (max(4.4, 0.19 * len(classes) * (len(results) + 1.2) + 1.2), 3.6)
        figure = figure_of(size, title, notice)
        axes = figure.add_subplot()
        for number, (model, values) in enumerate(results.items()):
            places = np.arange(len(classes)) + (number - (len(results) - 1) / 2) * width
            bars = axes.bar(places, values, 0.92 * width, color=OKABE_ITO[number], label=model)
            labels = ["" if np.isnan(value) else f"{value:.0f}" for value in values]
            axes.bar_label(bars, labels, padding=1, fontsize=6)
        axes.set_xticks(
            range(len(classes)), classes, rotation=30, ha="right", rotation_mode="anchor"
        )
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


def embedding(
    points: NDArray[np.floating],
    labels: NDArray[np.number],
    classes: Sequence[str],
    *,
    title: str,
    path: Path,
    notice: str = "",
    values: str = "",
) -> None:
    """Draw clips as points of a map, with a colour and a sign for each class.

    Args:
        points: (n, 2).
        labels: class index, or the regressed value, of each point (n,).
        classes: names in index order.
        title: stands above.
        path: PNG to write.
        notice: stands at the foot.
        values: name of the regressed value; "" for classes.
    """
    with mpl.rc_context(STYLE):
        figure = figure_of((5.6, 4.4), title, notice)
        axes = figure.add_subplot()
        axes.set_axis_off()
        axes.set_aspect("equal", adjustable="datalim")
        if values:
            drawn = axes.scatter(
                points[:, 0], points[:, 1], s=12, c=labels, cmap="cividis", linewidths=0
            )
            figure.colorbar(drawn, ax=axes, label=values, shrink=0.7).outline.set_visible(False)
        signs = [(colour, sign) for sign in _SIGNS for colour in OKABE_ITO]
        for number, name in enumerate(classes):
            colour, sign = signs[number % len(signs)]
            x, y = points[labels == number].T
            axes.scatter(x, y, s=12, c=colour, marker=sign, label=name, linewidths=0, alpha=0.85)
        if classes:
            axes.legend(loc="upper left", bbox_to_anchor=(1, 1), markerscale=2)
        save(figure, path)
