"""Histograms of quality figures: units, constants in words, no empty place."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from test_plots import assert_nothing_is_cut_off

from svfap.faces.clip_tables import QUALITY_COLUMNS
from svfap.plots import quality

NAMES = [name for name in QUALITY_COLUMNS if name != "key"]


def test_every_figure_has_a_name_and_a_unit() -> None:
    assert {*quality.MEANINGS} == {*NAMES}


@pytest.mark.parametrize("varying", [0, 1, 3, 5, 7, 9, 11])
def test_what_varies_is_drawn_and_what_does_not_is_said(
    tmp_path: Path, drawn: list[Figure], varying: int
) -> None:
    draws = np.random.default_rng(0).normal(size=(40, len(NAMES)))
    draws[:, varying:] = 1
    path = tmp_path / "quality.png"
    quality.draw_quality(pd.DataFrame(draws, columns=NAMES), title="Forty clips", path=path)
    (figure,) = drawn
    assert len(figure.axes) == varying
    filled: dict[int, int] = {}
    for axes, name in zip(figure.axes, NAMES, strict=False):
        title, unit = quality.MEANINGS[name]
        assert axes.get_title() == title
        assert axes.get_xlabel().startswith(f"{unit}, median ")
        place = axes.get_subplotspec()
        assert place is not None
        row = place.rowspan.start
        filled[row] = filled.get(row, 0) + len(place.colspan)
    assert len({*filled.values()}) <= 1  # the histograms of each row fill it
    assert "frames without the face 100%" in figure.get_supxlabel().replace("\n", " ")
    assert_nothing_is_cut_off(path)
