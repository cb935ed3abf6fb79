"""The common style of all figures: size, fonts, colours, title, notice, and saving.

Figures are drawn without pyplot, so no display, back end or global state is needed. Colours are
safe for colour-blind readers.
"""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from PIL import Image

from svfap.plots.fonts import complete_fonts

DPI = 200
STYLE = mpl.RcParams(
    {
        "font.family": "DejaVu Sans",
        "font.size": 9,
        "text.parse_math": False,  # a class may be called `a_$b$`
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
# Okabe and Ito (2008), without the yellow that is too pale for lines on white.
OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def figure_of(size: tuple[float, float], title: str, notice: str, *, dpi: int = DPI) -> Figure:
    """Return an empty figure with a title above and a notice at the foot."""
    figure = Figure(figsize=size, dpi=dpi, layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08))
    FigureCanvasAgg(figure)  # attaches itself to the figure, which pyplot would do otherwise
    figure.suptitle(title, fontsize=10, fontweight="bold")
    if notice:
        # About 17 letters of this size per inch.
        lines = textwrap.fill(notice, width=int(17 * size[0]))
        figure.supxlabel(lines, fontsize=7, style="italic", color="#505050", x=0.01, ha="left")
    return figure


def in_lines(names: Sequence[str]) -> list[str]:
    """Return names with long ones, such as compound emotions, broken into lines."""
    return [textwrap.fill(name, 20, break_long_words=False) or name for name in names]


def save(figure: Figure, path: Path) -> None:
    """Write a PNG of at most 256 colours. Equal figures give equal bytes.

    A report holds dozens of figures; in true colour it is three times as large.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas = FigureCanvasAgg(figure)
    with complete_fonts(figure):
        canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    picture = Image.fromarray(pixels[..., :3])
    picture.quantize(256, dither=Image.Dither.NONE).save(
        path, "png", dpi=(figure.dpi, figure.dpi), optimize=True
    )
