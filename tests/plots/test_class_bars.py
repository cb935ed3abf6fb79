"""Charts: bars by class and maps of embeddings, checked in the drawn figure."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from test_plots import CLASSES, NOTICE, assert_nothing_is_cut_off

from svfap.plots import classes, clip_figures


def legend_of(figure: Figure) -> list[str]:
    """The entries of the legend."""
    legend = figure.axes[0].get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts()]


def test_class_bars_show_every_model_and_leave_absent_classes_out(
    tmp_path: Path, drawn: list[Figure]
) -> None:
    path = tmp_path / "classes.png"
    results = {"ours": [90, np.nan, 10], "SVFAP-B, paper": [93.1, 77, 15.2]}
    classes.draw_class_bars(results, CLASSES, title="T", path=path, notice=NOTICE)
    (axes,) = drawn[0].axes
    assert [bar.get_height() for bar in axes.patches][3:] == [93.1, 77, 15.2]
    assert [text.get_text() for text in axes.texts] == [
        *("90", "", "10", "93", "77", "15"),
        "chance 33",
    ]
    assert legend_of(drawn[0]) == [*results]
    assert_nothing_is_cut_off(path)


@pytest.mark.parametrize("count", [3, 11])
def test_embedding_map_has_a_sign_for_each_class(
    tmp_path: Path, drawn: list[Figure], count: int
) -> None:
    path = tmp_path / "embedding.png"
    points = np.random.default_rng(0).normal(size=(60, 2))
    names = [f"class {number}" for number in range(count)]
    clip_figures.draw_embedding(
        points, np.arange(60) % count, names, title="T", path=path, notice=NOTICE
    )
    shown = drawn[0].axes[0].collections
    signs = {(c.get_facecolor().tobytes(), c.get_paths()[0].vertices.tobytes()) for c in shown}
    assert len(signs) == count
    assert legend_of(drawn[0]) == names
    assert_nothing_is_cut_off(path)


def test_embedding_map_of_values_has_a_scale(tmp_path: Path, drawn: list[Figure]) -> None:
    path = tmp_path / "embedding.png"
    clip_figures.draw_embedding(
        np.eye(2), np.array([0.1, 0.9]), (), title="T", path=path, values="arousal"
    )
    assert drawn[0].axes[1].get_ylabel() == "arousal"
