"""Training curves: read and draw them.

A dataset's notice is printed at the foot of its figures.
"""

from collections.abc import Iterable, Mapping
from itertools import cycle
from pathlib import Path

import matplotlib as mpl
import pandas as pd

from svfap.errors import SvfapError
from svfap.plots.style import OKABE_ITO, STYLE, figure_of, save

CURVE_SIZE = (6.4, 4.6)
CURVE_COLUMNS = ("step", "epoch", "loss", "lr")
_DASHES = ("-", "--", ":")
_RATE = "as used in each step: the configured lr x batch size / 256, as in the paper"


def draw_curves(
    frames: Mapping[str, pd.DataFrame],
    *,
    title: str,
    path: Path,
    notice: str = "",
    legend: str = "",
) -> None:
    """Draw the training loss of one or more trainings, raw and smoothed, above the learning rate.

    Args:
        frames: name of the training -> curve from `read_curve`; a legend is drawn for several.
        title: title above the figure.
        path: PNG to write.
        notice: text at the foot, for example that the data are synthetic.
        legend: what the names are, for example "test fold".
    """
    # Whole epochs repeat from step to step and would put many points in one place.
    unit = "epoch" if all(frame["epoch"].is_unique for frame in frames.values()) else "step"
    with mpl.rc_context(STYLE):
        figure = figure_of(CURVE_SIZE, title, notice)
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
        styles = cycle((colour, dash) for dash in _DASHES for colour in OKABE_ITO)
        for (name, frame), (colour, dash) in zip(frames.items(), styles, strict=False):
            marker = "o" if len(frame) == 1 else ""
            x, loss = frame[unit], frame["loss"]
            line = {"color": colour, "linestyle": dash, "marker": marker}
            upper.plot(x, loss, color=colour, linewidth=0.6, alpha=0.25)
            upper.plot(x, smooth(loss), linewidth=1.4, label=name, **line)
            lower.plot(x, frame["lr"], linewidth=1.2, **line)
        upper.set_ylabel("training loss")
        upper.set_title(_smoothing(frames.values()), fontsize=7, loc="left")
        lower.set_ylabel("learning\nrate")
        lower.set_title(_RATE, fontsize=7, loc="left")
        lower.set_xlabel(unit)
        lower.yaxis.set_major_formatter("{x:g}")
        lower.set_ylim(bottom=0)
        lower.locator_params(axis="y", nbins=4)
        for axes in (upper, lower):
            axes.grid(axis="y", color="#e0e0e0", linewidth=0.6)
            axes.set_axisbelow(True)
        figure.align_ylabels()
        if len(frames) > 1:
            upper.legend(ncols=1 + (len(frames) - 1) // 6, title=legend, title_fontsize=8)
        save(figure, path)


def smooth(values: pd.Series) -> pd.Series:
    """Return the centred running mean over a fiftieth of the curve; short curves are unchanged."""
    return values.rolling(_width(values), center=True, min_periods=1).mean()


def _width(values: "pd.Series | pd.DataFrame") -> int:
    """Return the number of values in a running mean."""
    return 2 * (len(values) // 100) + 1


def _smoothing(frames: Iterable[pd.DataFrame]) -> str:
    """Return what faint and bold lines are; curves of fewer than 100 values are not smoothed."""
    width = max(map(_width, frames))
    return f"faint: each value; bold: running mean of {width} values" if width > 1 else ""


def read_curve(path: Path) -> pd.DataFrame:
    """Read a curve that training wrote, with all its columns, sorted by step.

    A resumed training may have logged a step twice; the later row is kept.

    Raises:
        SvfapError: the file is missing, not CSV, without rows, or one of `CURVE_COLUMNS` is
            missing or not numeric.
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
    not_numeric = [name for name in CURVE_COLUMNS if not pd.api.types.is_numeric_dtype(frame[name])]
    if not_numeric:
        raise SvfapError(f"{path}: {not_numeric[0]} is not a number in every row; train again")
    return frame.drop_duplicates("step", keep="last").sort_values("step", ignore_index=True)
