"""Figures of single clips: strips of frames, and a map of embeddings.

A dataset's notice is printed at the foot of its figures.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from numpy.typing import NDArray

from svfap.plots.palette import colours_of
from svfap.plots.style import STYLE, figure_of, in_lines, save

_MARKERS = ("o", "^", "s", "D", "v")


class Scale(NamedTuple):
    """The colours of a picture, from 0 to the highest value.

    Attributes:
        colours: name of a colour map.
        highest: value of the last colour; higher values have it too.
        label: what the values are.
        marks: values with a mark, and the texts beside them.
    """

    colours: str
    highest: float
    label: str
    marks: Mapping[float, str]


def draw_filmstrips(
    rows: Mapping[str, NDArray[np.floating]],
    *,
    title: str,
    path: Path,
    notice: str = "",
    captions: Sequence[str] = (),
    scale: Scale | None = None,
) -> None:
    """Draw labelled strips of frames, one column per clip.

    Args:
        rows: label -> one strip of frames per clip, (clips, height, width, 3) RGB in [0, 1].
        title: title above the figure.
        path: PNG to write.
        notice: text at the foot.
        captions: text above each clip.
        scale: colours to explain by a bar at the side.
    """
    strips = list(rows.values())
    clips, height, width = strips[0].shape[:3]
    gap = max(2, height // 12)
    sheet = np.ones((len(strips) * height, clips * (width + gap) - gap, 3))
    for row, strip in enumerate(strips):
        for clip in range(clips):
            left = clip * (width + gap)
            sheet[row * height : (row + 1) * height, left : left + width] = strip[clip]
    inches = 3.2 * clips
    with mpl.rc_context(STYLE):
        size = (inches, inches * sheet.shape[0] / sheet.shape[1] + 0.8)
        figure = figure_of(size, title, notice)
        axes = figure.add_subplot()
        axes.imshow(sheet, interpolation="nearest")
        axes.set_yticks([(row + 0.5) * height for row in range(len(strips))], list(rows))
        centres = [clip * (width + gap) + width / 2 for clip in range(len(captions))]
        axes.set_xticks(centres, captions)
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        if scale:
            values = ScalarMappable(Normalize(0, scale.highest), scale.colours)
            bar = figure.colorbar(values, ax=axes, label=scale.label, shrink=0.8, extend="max")
            bar.set_ticks([*scale.marks], labels=[*scale.marks.values()])
            bar.outline.set_visible(False)
        save(figure, path)


def draw_embedding(
    points: NDArray[np.floating] | None,
    labels: NDArray[np.number],
    classes: Sequence[str],
    *,
    title: str,
    path: Path,
    notice: str = "",
    values: str = "",
) -> None:
    """Draw clips as points of a map, with the colour of their class.

    Args:
        points: positions on the map, (n, 2); None for too few clips, which the figure then says.
        labels: class index, or the regressed value, of each point (n,).
        classes: names of the classes in index order.
        title: title above the figure.
        path: PNG to write.
        notice: text at the foot.
        values: name of the regressed value; "" for classes.
    """
    with mpl.rc_context(STYLE):
        figure = figure_of((5.6, 4.4), title, notice)
        axes = figure.add_subplot()
        axes.set_axis_off()
        axes.set_aspect("equal", adjustable="datalim")
        if points is None:
            text = f"{len(labels)} clips are too few for a map"
            axes.text(0.5, 0.5, text, ha="center", transform=axes.transAxes)
            save(figure, path)
            return
        if values:
            drawn = axes.scatter(
                points[:, 0], points[:, 1], s=12, c=labels, cmap="cividis", linewidths=0
            )
            figure.colorbar(drawn, ax=axes, label=values, shrink=0.7).outline.set_visible(False)
        colours = colours_of(classes)
        for number, (name, colour) in enumerate(zip(in_lines(classes), colours, strict=True)):
            # Classes of one colour differ in their markers.
            marker = _MARKERS[colours[:number].count(colour) % len(_MARKERS)]
            x, y = points[labels == number].T
            axes.scatter(x, y, s=12, c=colour, marker=marker, label=name, linewidths=0, alpha=0.85)
        if classes:
            axes.legend(loc="upper left", bbox_to_anchor=(1, 1), markerscale=2)
        save(figure, path)
