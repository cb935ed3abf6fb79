"""Figures of the report: confusion matrices and training curves.

Drawn straight on a canvas without pyplot, so that no display, back end or global state is needed.
Colours are safe for colour-blind readers. A dataset's notice stands at the foot of its figures.
"""

import textwrap
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from svfap.errors import SvfapError

DPI = 200
CURVE_SIZE = (6.4, 4.4)
CURVE_COLUMNS = ("step", "epoch", "loss", "lr")
STYLE = mpl.RcParams(
    {
        "font.family": "DejaVu Sans",
        "font.size": 9,
        "axes.labelsize": 9,
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "xtick.labelsize": 8,
        "ytick.labelsize": 8,
        "legend.fontsize": 8,
        "legend.frameon": False,
    }
)
_OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_DASHES = ("-", "--", ":")


def filmstrips(
    rows: Mapping[str, NDArray[np.floating]], *, title: str, path: Path, notice: str = ""
) -> None:
    """Draw labelled rows of pictures, a column for each clip.

    Args:
        rows: label -> one strip of frames per clip, (clips, height, width, 3) RGB in [0, 1].
        title: stands above.
        path: PNG to write.
        notice: stands at the foot.
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
        figure = new_figure(size, title, notice)
        axes = figure.add_subplot()
        axes.imshow(sheet, interpolation="nearest")
        axes.set_yticks([(row + 0.5) * height for row in range(len(strips))], list(rows))
        axes.set_xticks([])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        save_figure(figure, path)


def confusion(
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
        classes: names in index order.
        title: stands above.
        path: PNG to write.
        notice: stands at the foot, for example that the data are synthetic.
    """
    counts = np.asarray(matrix, dtype=np.int64)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)
    with mpl.rc_context(STYLE):
        figure = new_figure(confusion_size(len(classes)), title, notice)
        axes = figure.add_subplot()
        blues = mpl.colormaps["Blues"].with_extremes(bad="#e6e6e6")
        image = axes.imshow(shares, cmap=blues, vmin=0, vmax=1)
        ticks = range(len(classes))
        names = [f"{name}\n{n:,}" for name, n in zip(classes, totals[:, 0], strict=True)]
        axes.set_xticks(ticks, classes, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(ticks, names)
        axes.set_xlabel("predicted class")
        axes.set_ylabel("true class, number of clips")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        _annotate(axes, shares, counts)
        bar = figure.colorbar(image, ax=axes, shrink=0.7, aspect=30, pad=0.02)
        bar.set_ticks([0, 0.5, 1], labels=["0 %", "50 %", "100 %"])
        bar.outline.set_visible(False)
        save_figure(figure, path)


def confusion_size(num_classes: int) -> tuple[float, float]:
    """Width and height in inches of the confusion matrix of so many classes."""
    side = max(3.6, 0.62 * num_classes + 1.0)
    return side + 1.0, side + 0.4


def curves(frames: Mapping[str, pd.DataFrame], *, title: str, path: Path, notice: str = "") -> None:
    """Draw the training loss of one or more runs, lightly smoothed, above the learning rate.

    Args:
        frames: name of the run -> curve, as from `read_curve`; one name needs no legend.
        title: stands above.
        path: PNG to write.
        notice: stands at the foot, for example that the data are synthetic.
    """
    unit = "epoch" if all(frame["epoch"].is_unique for frame in frames.values()) else "step"
    with mpl.rc_context(STYLE):
        figure = new_figure(CURVE_SIZE, title, notice)
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
        styles = cycle((colour, dash) for dash in _DASHES for colour in _OKABE_ITO)
        for (name, frame), (colour, dash) in zip(frames.items(), styles, strict=False):
            marker = "o" if len(frame) == 1 else ""
            x, loss = frame[unit], frame["loss"]
            line = {"color": colour, "linestyle": dash, "marker": marker}
            upper.plot(x, loss, color=colour, linewidth=0.6, alpha=0.25)
            upper.plot(x, smooth(loss), linewidth=1.4, label=name, **line)
            lower.plot(x, frame["lr"], linewidth=1.2, **line)
        upper.set_ylabel("training loss")
        lower.set_ylabel("learning\nrate")
        lower.set_xlabel(unit)
        lower.ticklabel_format(axis="y", scilimits=(0, 0), useMathText=True)
        lower.set_ylim(bottom=0)
        lower.locator_params(axis="y", nbins=4)
        for axes in (upper, lower):
            axes.grid(axis="y", color="#e0e0e0", linewidth=0.6)
            axes.set_axisbelow(True)
        figure.align_ylabels()
        if len(frames) > 1:
            upper.legend(ncols=1 + (len(frames) - 1) // 6)
        save_figure(figure, path)


def smooth(values: pd.Series) -> pd.Series:
    """Centred running mean over a fiftieth of the curve; short curves stay as they are."""
    window = 2 * (len(values) // 100) + 1
    return values.rolling(window, center=True, min_periods=1).mean()


def read_curve(path: Path) -> pd.DataFrame:
    """Read a curve as training writes it; further columns are kept.

    A run that was resumed may have logged a step twice: the later row stands.

    Raises:
        SvfapError: the file is missing, not CSV, without rows, or one of `CURVE_COLUMNS` is
            missing or holds words.
    """
    try:
        frame = pd.read_csv(path)
    except OSError as error:
        raise SvfapError(f"{path}: no such curve ({error.strerror}); train first") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise SvfapError(f"{path}: not a training curve ({error}); train again") from None
    lacking = [name for name in CURVE_COLUMNS if name not in frame]
    if lacking or frame.empty:
        what = f"no column {', '.join(lacking)}" if lacking else "no rows"
        raise SvfapError(f"{path}: not a training curve ({what}); train again")
    words = [name for name in CURVE_COLUMNS if not pd.api.types.is_numeric_dtype(frame[name])]
    if words:
        raise SvfapError(f"{path}: {words[0]} is not a number in every row; train again")
    return frame.drop_duplicates("step", keep="last").sort_values("step", ignore_index=True)


def _annotate(axes: Axes, shares: NDArray[np.float64], counts: NDArray[np.int64]) -> None:
    """Write per cent, and below it the number of clips, into every cell that holds clips."""
    for (row, column), share in np.ndenumerate(shares):
        if np.isnan(share) or not counts[row, column]:
            continue
        text = f"{100 * share:.1f}" if share < 0.9995 else "100"
        colour = "white" if share > 0.55 else "#202020"
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


def new_figure(size: tuple[float, float], title: str, notice: str) -> Figure:
    """A figure of a size in inches with a title above and a notice at its foot."""
    figure = Figure(figsize=size, dpi=DPI, layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08))
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=10, fontweight="bold")
    if notice:
        lines = textwrap.fill(notice, width=int(17 * size[0]))
        figure.supxlabel(lines, fontsize=7, style="italic", color="#505050", x=0.01, ha="left")
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write a PNG that is the same, byte by byte, for the same figure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png", metadata={"Software": None})
