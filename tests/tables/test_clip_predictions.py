"""`predictions.csv`: averaged views, runs, order, and what spreadsheets and R make of it."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from svfap.config.stage_sections import DatasetFacts, TabulateConfig
from svfap.config.variants import RunFacts
from svfap.datasets.dataset import Listed
from svfap.evaluation.predictions import Predictions, by_clip, to_table
from svfap.tables.clip_predictions import write_predictions
from svfap.tables.scored import BASELINE_RUN

FACTS = DatasetFacts(
    task="classification", targets=("ruhig", "=ärgerlich"), metrics=("UAR",), folds=("2", "10")
)
AGE = DatasetFacts(task="regression", targets=("label",), metrics=("CCC",), folds=("test",))
CONFIG = TabulateConfig(datasets={"mine": FACTS, "age": AGE})


def scored(dataset: str, fold: str, keys: tuple[str, ...], width: int = 2) -> pd.DataFrame:
    """Two views of each clip, whose scores average to 0.25 and 0.75."""
    rows = [key for key in keys for _ in range(2)]
    count = len(rows)
    found = Predictions(
        dataset,
        fold,
        rows,
        rows,
        ["@anna"] * count,
        np.tile([0, 1], len(keys)),
        np.ones((count, 1)),
        np.tile([[0.0, 1.0], [0.5, 0.5]], (len(keys), 1))[:, :width],
    )
    return by_clip(to_table(found).to_pandas())


def table(path: Path, config: TabulateConfig, runs: dict[str, pd.DataFrame]) -> pd.DataFrame:
    empty = scored("mine", "2", ("a",))[:0]
    by_run = {
        run: {
            name: rows[rows["dataset"] == name] if len(rows) else empty for name in config.datasets
        }
        for run, rows in runs.items()
    }
    listed = {
        "mine": {"a": Listed("-a.mp4"), "b": Listed("été/b, c.mp4", 0, 2.5), "c": Listed("c.mp4")},
        "age": {},
    }
    write_predictions(path, config, by_run, listed)
    return pd.read_csv(path, keep_default_na=False, dtype=str)


def test_a_clip_is_a_row_in_the_order_of_the_folds(tmp_path: Path) -> None:
    rows = pd.concat([scored("mine", "10", ("c",)), scored("mine", "2", ("b", "a"))])
    found = table(tmp_path / "predictions.csv", CONFIG, {"": rows})
    assert found["fold"].tolist() == ["2", "2", "10"]
    assert found["clip"].tolist() == ["b", "a", "c"]
    assert found["p_ruhig"].tolist() == ["0.25"] * 3
    assert found.loc[0, ["path", "start", "end"]].tolist() == ["été/b, c.mp4", "0", "2.5"]
    assert found.loc[2, ["path", "start", "end"]].tolist() == ["c.mp4", "NA", "NA"]


def test_no_cell_is_a_formula(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    found = table(path, CONFIG, {"": scored("mine", "2", ("a",))})
    assert found.loc[0, ["path", "subject", "true_label"]].tolist() == [
        "'-a.mp4",
        "'@anna",
        "'=ärgerlich",
    ]
    assert not path.read_bytes().startswith("\ufeff".encode())  # R would read it as a name
    with path.open(encoding="utf-8", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


@pytest.mark.parametrize(
    ("variant", "expected"),
    [("mask75", ["main", "mask75", "baseline"]), ("main", ["(main)", "main", "baseline"])],
)
def test_runs_are_told_apart(tmp_path: Path, variant: str, expected: list[str]) -> None:
    rows = scored("mine", "2", ("a",))
    config = CONFIG.model_copy(update={"runs": {variant: RunFacts(label=variant, folds={})}})
    runs = {"": rows, variant: rows, BASELINE_RUN: rows}
    assert table(tmp_path / "p.csv", config, runs)["run"].tolist() == expected


def test_a_value_called_label(tmp_path: Path) -> None:
    """The usual name of a single regressed column."""
    found = table(tmp_path / "p.csv", CONFIG, {"": scored("age", "test", ("a",), width=1)})
    assert found["true_label"].astype(float).tolist() == [1]
    assert found["predicted_label"].astype(float).tolist() == [0.25]


def test_no_predictions_give_a_header(tmp_path: Path) -> None:
    found = table(tmp_path / "p.csv", CONFIG, {"": scored("mine", "2", ("a",))[:0]})
    assert found.columns[0] == "dataset"
    assert not len(found)
