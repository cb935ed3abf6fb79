"""The curves below an annotated video: what is written there is whole and in a place of its own."""

import numpy as np
import pandas as pd
import pytest
from helpers.random_checkpoints import NOTICE, write_checkpoint
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from svfap.use import drawing
from svfap.use.bundle import read_checkpoint


@pytest.mark.parametrize(("width", "height"), [(1280, 216), (640, 144), (320, 140)])
def test_the_notice_is_whole_and_below_the_axis(tmp_path, toy_model, width, height):
    origin = {"datasets": ["a"], "notice": "Old films of people.", "clips": 1}
    facts = read_checkpoint(write_checkpoint(tmp_path / "m.pt", toy_model, origin=origin)).facts
    names = list(facts.job.targets)
    table = pd.DataFrame({"face": [0, 0], "start": [0.0, 1.0], "end": [1.0, 2.0]})
    table[names] = np.full((2, len(names)), 0.5)
    figure = Figure(figsize=(width / 100, height / 100), dpi=100)
    canvas = FigureCanvasAgg(figure)
    drawing._plot_curves(figure, table, facts, 2.0)
    canvas.draw()
    *legend, notice = figure.texts
    whole = f"Trained on: {NOTICE} Pre-trained on: Old films of people."
    assert notice.get_text().replace("\n", " ") == whole
    renderer = canvas.get_renderer()
    box = notice.get_window_extent(renderer)
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= width
    assert box.y1 <= figure.axes[-1].xaxis.get_label().get_window_extent(renderer).y0 + 1
    assert max(name.get_window_extent(renderer).x1 for name in legend) <= width
