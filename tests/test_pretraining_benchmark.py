"""The script that repeats the demo's comparison: its runs, its figures and its picture."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import pretraining
from svfap.experiment import runs
from svfap.experiment.resolve import resolve


def test_runs_differ_in_seed_start_and_length_on_other_people(tmp_path: Path) -> None:
    experiment = resolve(pretraining.configuration(tmp_path), where="config")
    found = runs.expand(experiment)
    assert len(found) == 1 + 5 + 4 + 4
    pretrained = [run for run in found.values() if run.pretrains_itself]
    assert len(pretrained) == 1 + 4 + 4
    epochs = [run.experiment.config.pretrain.optim.epochs for run in pretrained]
    main = epochs[0]
    assert sorted(epochs) == [round(n * main) for n in (0.5, 1, 1, 1, 1, 1, 2, 4, 8)]
    people = {clip.subject for clip in experiment.datasets["demo"].clips(tmp_path)}
    assert "s000000" not in people


def test_accuracy_and_picture(tmp_path: Path) -> None:
    targets, scores = [[0.0], [1.0], [1.0], [0.0]], np.eye(2)[[0, 1, 0, 0]]
    rows = pd.DataFrame(
        {"subject": list("abcd"), "group": list("wxyz"), "target": targets, "score": [*scores]}
    )
    found = pretraining.accuracy(rows)
    assert found["value"] == pytest.approx(75)
    assert 0 <= found["low"] < 75 < found["high"] <= 100
    path = tmp_path / "figure.png"
    pretraining.draw(dict.fromkeys((0, *pretraining.LENGTHS), found), path)
    assert path.stat().st_size > 5000
