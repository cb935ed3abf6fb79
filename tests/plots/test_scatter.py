"""True against predicted values: a panel each, with the agreement as its title."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from test_plots import NOTICE, assert_nothing_is_cut_off

from svfap.plots import scatter

TRAITS = ("openness", "conscientiousness", "extraversion", "agreeableness", "neuroticism")


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_panel_for_each_value(tmp_path: Path, drawn: list[Figure], count: int) -> None:
    true = np.random.default_rng(0).uniform(size=(5000, count))
    remarks = [f"{name}: CCC 0.123" for name in TRAITS[:count]]
    path = tmp_path / "scatter.png"
    scatter.draw_scatter(true, 0.5 * true, remarks, title="Traits", path=path, notice=NOTICE)
    panels = [axes for axes in drawn[0].axes if axes.axison]
    assert [axes.get_title() for axes in panels] == remarks
    for axes in panels:
        points = np.asarray(axes.collections[0].get_offsets())
        assert len(points) <= 2000
        np.testing.assert_allclose(points[:, 1], 0.5 * points[:, 0])
        assert axes.get_xlim() == axes.get_ylim()
    assert_nothing_is_cut_off(path)


def test_one_clip_is_drawn(tmp_path: Path) -> None:
    one = np.ones((1, 1))
    scatter.draw_scatter(one, one, ["age"], title="One", path=tmp_path / "one.png")
    assert (tmp_path / "one.png").exists()
