"""Fonts for names in any script: DejaVu Sans, and fonts of this machine for what it lacks.

Matplotlib ships DejaVu Sans, which has no Chinese, Japanese or Korean letters and few emoji. A
character that no font has is drawn as a box; a warning then says which font to install.
"""

import logging
import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text

logger = logging.getLogger(__name__)

DEJAVU = str(Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")
_EAST_ASIAN = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC", "FULLWIDTH")
_INVISIBLE = {"Cc", "Cf", "Mn", "Zs", "Zl", "Zp"}  # categories that need no glyph of their own


def fonts_for(text: str) -> list[str]:
    """Return the files of fonts that draw a text, DejaVu Sans first; warn if one is missing."""
    fonts, missing = find_fonts(frozenset(text))
    if missing:
        _warn(advice(missing))
    return [DEJAVU, *fonts]


@cache
def _warn(line: str) -> None:
    """Log a warning once, not for every figure and frame."""
    logger.warning("%s", line)


@cache
def find_fonts(letters: frozenset[str]) -> tuple[list[str], str]:
    """Return the fonts that add to DejaVu Sans for some letters, and the letters that none has."""
    missing = {c for c in letters if unicodedata.category(c) not in _INVISIBLE}
    missing -= characters(DEJAVU)
    chosen: list[str] = []
    # This order prefers an upright regular font, and is the same every time.
    files = sorted(font_manager.findSystemFonts(), key=lambda p: ("Regular" not in p, p))
    while missing and files:
        best = max(files, key=lambda path: len(missing & characters(path)))
        if not missing & characters(best):
            break
        chosen.append(best)
        missing -= characters(best)
    return chosen, "".join(sorted(missing))


@cache
def characters(path: str) -> frozenset[str]:
    """Return the characters that a font can draw at any size; none if it holds only bitmaps."""
    try:
        font = FT2Font(path)
    except (OSError, RuntimeError):
        return frozenset()
    return frozenset(map(chr, font.get_charmap())) if font.scalable else frozenset()


def advice(missing: str) -> str:
    """Return a line that says which font to install for some characters."""
    names = [unicodedata.name(c, "") for c in missing]
    if any(name.startswith(_EAST_ASIAN) for name in names):
        package = "Noto Sans CJK (Debian: fonts-noto-cjk)"
    elif any(unicodedata.category(c) == "So" for c in missing):
        package = "Symbola or Noto Emoji (Debian: fonts-symbola)"
    else:
        package = "Noto Sans (Debian: fonts-noto-core)"
    return f"no font here draws '{missing}', boxes are shown instead; install {package}"


@contextmanager
def complete_fonts(figure: Figure) -> Iterator[None]:
    """Let all texts of a figure use the fonts that they need, while the block draws it."""
    for axes in figure.findobj(Axes):
        for axis in (axes.xaxis, axes.yaxis):
            axis.get_ticklabels()  # the ticks get their texts now
    texts = [text for text in figure.findobj(Text) if isinstance(text, Text)]
    families = [_family(path) for path in fonts_for("".join(text.get_text() for text in texts))]
    if len(families) > 1:
        for text in texts:
            text.set_fontfamily(families)
    with warnings.catch_warnings():
        # Matplotlib warns of every missing glyph; `fonts_for` has said it in one line.
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font")
        yield


@cache
def _family(path: str) -> str:
    """Return the family name of a font, which Matplotlib knows from then on."""
    if path != DEJAVU:
        font_manager.fontManager.addfont(path)
        # Matplotlib would warn that a font without a bold weight is not bold in bold texts.
        logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    return FT2Font(path).family_name
