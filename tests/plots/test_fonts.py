"""Names in any script: a font of this machine is found, or the missing one is named."""

import cv2
import numpy as np
import pandas as pd
import pytest
from fontTools.fontBuilder import FontBuilder  # type: ignore[import-untyped]
from fontTools.pens.ttGlyphPen import TTGlyphPen  # type: ignore[import-untyped]
from matplotlib import font_manager

from svfap.plots import fonts
from svfap.plots.classes import draw_class_bars, draw_confusion
from svfap.plots.clip_figures import draw_embedding
from svfap.plots.curves import draw_curves
from svfap.use.drawing import _render_label

JOY = "\u559c\u60a6"
STRANGE = ("a_$b$", "$x", r"\\frac{", "50 % & #1", "\u00e9t\u00e9", "new\nline")


@pytest.fixture
def system_fonts(tmp_path, monkeypatch):
    """The list of this machine's fonts, empty at first."""
    found: list[str] = []
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: found)
    for cached in (fonts.find_fonts, fonts._warn, _render_label):
        cached.cache_clear()
    yield found
    for cached in (fonts.find_fonts, fonts._warn, _render_label):
        cached.cache_clear()


def write_font(path, letters):
    """Write a font in which every letter is a solid block."""
    names = [".notdef", *(f"u{ord(c):X}" for c in letters)]
    pen = TTGlyphPen(None)
    corners = [(50, 0), (50, 900), (950, 900), (950, 0)]
    pen.moveTo(corners[0])
    for corner in corners[1:]:
        pen.lineTo(corner)
    pen.closePath()
    block = pen.glyph()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(c): f"u{ord(c):X}" for c in letters})
    builder.setupGlyf(dict.fromkeys(names, block))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (1000, 0)))
    builder.setupHorizontalHeader(ascent=900, descent=-100)
    builder.setupNameTable({"familyName": path.stem, "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=900, usWinAscent=900, usWinDescent=100)
    builder.setupPost()
    builder.save(path)
    return str(path)


def draw_all(folder, names):
    count = len(names)
    common = {"title": names[0], "notice": names[-1]}
    draw_confusion(np.eye(count, dtype=int), names, path=folder / "confusion.png", **common)
    draw_class_bars({names[0]: [50.0] * count}, names, path=folder / "bars.png", **common)
    points = np.random.default_rng(0).normal(size=(20, 2))
    labels = np.arange(20) % count
    draw_embedding(points, labels, names, path=folder / "map.png", **common)
    curve = pd.DataFrame({"step": [1, 2], "epoch": [1, 1], "loss": [2.0, 1.0], "lr": [1e-4, 1e-5]})
    draw_curves({name: curve for name in names}, path=folder / "curves.png", **common)
    _render_label(f"{names[0]} 90%", (255, 255, 255), 20)


def test_names_that_look_like_formulas(tmp_path, caplog):
    draw_all(tmp_path, STRANGE)
    assert len([*tmp_path.glob("*.png")]) == 4
    assert not caplog.text


@pytest.mark.parametrize(
    ("letters", "font"),
    [
        (JOY, "Noto Sans CJK (Debian: fonts-noto-cjk)"),
        ("\uae30\uc068", "Noto Sans CJK"),
        ("\U0001f970", "Symbola or Noto Emoji"),
        ("\u0e2a\u0e38\u0e02", "Noto Sans (Debian: fonts-noto-core)"),
    ],
)
def test_a_missing_font_is_named_once(tmp_path, system_fonts, caplog, letters, font):
    draw_all(tmp_path, ("calm", letters))
    (line,) = caplog.messages
    assert font in line
    assert letters[0] in line


def test_a_font_of_this_machine_is_used(tmp_path, system_fonts, caplog):
    system_fonts += [
        write_font(tmp_path / "Half-Regular.ttf", JOY[:1]),
        write_font(tmp_path / "Blocks-Bold.ttf", JOY),
        str(tmp_path / "damaged.ttf"),
    ]
    (tmp_path / "damaged.ttf").write_text("no font")
    assert fonts.fonts_for(f"calm {JOY}") == [fonts.DEJAVU, system_fonts[1]]
    draw_all(tmp_path, ("calm", JOY))
    assert not caplog.text


def test_the_label_of_a_video_has_the_letters(tmp_path, system_fonts):
    system_fonts.append(write_font(tmp_path / "Blocks.ttf", JOY))
    label = _render_label(JOY, (255, 255, 255), 40)
    black = (label.max(axis=2) < 128).mean()
    assert black > 0.35  # two solid blocks, not two outlines
    plain = _render_label("calm", (255, 255, 255), 40)
    assert plain.shape[0] == label.shape[0]
    cv2.imwrite(str(tmp_path / "label.png"), label)
