"""Predictions: round trip, averaging, and what is refused."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from svfap.config.labels import LabelNames
from svfap.errors import SvfapError
from svfap.evaluation import predictions
from svfap.evaluation.predictions import Predictions


def fold(name: str = "1", keys: tuple[str, ...] = ("a", "b"), **changes: Any) -> Predictions:
    """Two views of each key, three classes; every second key is of class 1."""
    count = len(keys)
    whole = Predictions(
        dataset="toy",
        fold=name,
        keys=[key for key in keys for _ in range(2)],
        groups=[key for key in keys for _ in range(2)],
        subjects=["s1"] * (2 * count),
        views=np.tile([0, 1], count),
        targets=np.repeat(np.arange(count) % 2, 2)[:, None],
        scores=np.tile([[0.5, 0.25, 0.25], [0.25, 0.75, 0.0]], (count, 1)),
    )
    return replace(whole, **changes)


def saved(path: Path, *folds: Predictions) -> list[Path]:
    """The files of some folds."""
    paths = [path / str(number) / "predictions.parquet" for number in range(len(folds))]
    for file, content in zip(paths, folds, strict=True):
        predictions.write(file, content)
    return paths


def test_round_trip(tmp_path: Path) -> None:
    written = fold()
    frame = predictions.read(saved(tmp_path, written))
    assert list(frame.columns) == predictions.SCHEMA.names
    assert frame["key"].tolist() == ["a", "a", "b", "b"]
    assert frame["view"].tolist() == [0, 1, 0, 1]
    np.testing.assert_array_equal(np.stack(frame["target"].to_list()), [[0], [0], [1], [1]])
    np.testing.assert_array_equal(np.stack(frame["score"].to_list()), written.scores)
    assert {*frame["dataset"]} == {"toy"}


def test_a_file_says_which_column_is_which_class(tmp_path: Path) -> None:
    labels = LabelNames(dataset="toy", task="classification", names=("sad", "anger", "joy"))
    (path,) = saved(tmp_path, fold(labels=labels))
    table = pd.read_parquet(path)
    assert table["p_sad"].tolist() == [0.5, 0.25] * 2
    assert table["true_label"].tolist() == ["sad", "sad", "anger", "anger"]
    assert table["predicted_label"].tolist() == ["sad", "anger"] * 2
    assert json.loads(pq.read_schema(path).metadata[b"svfap.labels"]) == {
        "dataset": "toy",
        "task": "classification",
        "names": ["sad", "anger", "joy"],
        "scores": "p_NAME is the probability of the class NAME, from 0 to 1",
    }
    assert predictions.read([path]).equals(predictions.read(saved(tmp_path / "old", fold())))


def test_a_file_says_which_column_is_which_value(tmp_path: Path) -> None:
    labels = LabelNames(dataset="toy", task="regression", names=("valence", "arousal"))
    values = np.array([[0.1, 0.2]]), np.array([[0.3, 0.4]], np.float32)
    one = Predictions("toy", "1", ["a"], ["a"], [""], np.array([0]), *values, labels=labels)
    table = pd.read_parquet(saved(tmp_path, one)[0])
    columns = ["true_valence", "predicted_valence", "true_arousal", "predicted_arousal"]
    assert table[columns].iloc[0].tolist() == pytest.approx([0.1, 0.3, 0.2, 0.4])


def test_write_leaves_nothing_else_and_replaces_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "predictions.parquet"
    predictions.write(path, fold("1"))
    predictions.write(path, fold("2"))
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert {*predictions.read([path])["fold"]} == {"2"}


def test_views_are_averaged_by_clip(tmp_path: Path) -> None:
    clips = predictions.by_clip(predictions.read(saved(tmp_path, fold())))
    assert clips["key"].tolist() == ["a", "b"]
    assert "view" not in clips
    expected = np.tile([0.375, 0.5, 0.125], (2, 1))
    np.testing.assert_allclose(np.stack(clips["score"].to_list()), expected)


def test_groups_average_clips_not_views(tmp_path: Path) -> None:
    """A clip with more views than another weighs no more within its group."""
    uneven = Predictions(
        dataset="toy",
        fold="1",
        keys=["a", "a", "a", "b"],
        groups=["g"] * 4,
        subjects=[""] * 4,
        views=np.array([0, 1, 2, 0]),
        targets=np.ones((4, 1)),
        scores=np.array([[1.0, 0], [1, 0], [1, 0], [0, 1]]),
    )
    frame = predictions.read(saved(tmp_path, uneven))
    groups = predictions.by_group(predictions.by_clip(frame))
    assert groups["group"].tolist() == ["g"]
    np.testing.assert_allclose(groups["score"].iloc[0], [0.5, 0.5])


def test_datasets_of_different_width_live_in_one_frame(tmp_path: Path) -> None:
    other = Predictions(
        "values", "1", ["a"], ["a"], [""], np.array([0]), np.zeros((1, 2)), np.ones((1, 2))
    )
    groups = predictions.by_group(
        predictions.by_clip(predictions.read(saved(tmp_path, fold(), other)))
    )
    assert [len(score) for score in groups["score"]] == [3, 3, 2]


def test_a_view_twice_is_refused(tmp_path: Path) -> None:
    twice = fold(views=np.array([0, 0, 0, 1]))
    with pytest.raises(SvfapError, match=r"toy: clip 'a' occurs twice in fold 1"):
        predictions.read(saved(tmp_path, twice))


def test_a_clip_tested_in_two_folds_is_refused(tmp_path: Path) -> None:
    files = saved(tmp_path, fold("1", ("a", "b")), fold("2", ("b", "c")))
    with pytest.raises(SvfapError, match=r"clip 'b' is tested in a second fold, fold 2"):
        predictions.read(files)


def test_a_group_in_two_folds_is_refused(tmp_path: Path) -> None:
    one = fold("1", ("a",), groups=["g", "g"])
    two = fold("2", ("b",), groups=["g", "g"])
    clips = predictions.by_clip(predictions.read(saved(tmp_path, one, two)))
    with pytest.raises(SvfapError, match=r"group 'g' has clips tested in a second fold"):
        predictions.by_group(clips)


def test_one_label_per_averaged_unit(tmp_path: Path) -> None:
    mixed = fold(groups=["g"] * 4)
    clips = predictions.by_clip(predictions.read(saved(tmp_path, mixed)))
    with pytest.raises(SvfapError, match=r"group 'g' differ in their target"):
        predictions.by_group(clips)


def test_folds_of_different_width_are_refused(tmp_path: Path) -> None:
    wide = fold("2", ("c", "d"), scores=np.full((4, 4), 0.25))
    with pytest.raises(SvfapError, match=r"toy: folds differ"):
        predictions.read(saved(tmp_path, fold(), wide))


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not parquet at all", b"PAR1" + bytes(200)])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "predictions.parquet"
    path.write_bytes(content)
    with pytest.raises(SvfapError, match=r"predictions\.parquet: damaged") as caught:
        predictions.read([path])
    assert "\n" not in str(caught.value)


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    (path,) = saved(tmp_path, fold())
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(SvfapError, match="damaged"):
        predictions.read([path])


def test_missing_foreign_empty_and_no_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SvfapError, match=r"absent\.parquet: no such predictions"):
        predictions.read([tmp_path / "absent.parquet"])
    foreign = tmp_path / "foreign.parquet"
    pd.DataFrame({"key": ["a"], "uar": [0.5]}).to_parquet(foreign)
    with pytest.raises(SvfapError, match=r"foreign\.parquet: not predictions .*key, uar"):
        predictions.read([foreign])
    nothing = Predictions(
        "toy", "1", [], [], [], np.zeros(0, int), np.zeros((0, 1)), np.zeros((0, 3))
    )
    with pytest.raises(SvfapError, match="holds no predictions"):
        predictions.read(saved(tmp_path, nothing))
    with pytest.raises(SvfapError, match="run the evaluate stage first"):
        predictions.read([])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_not_finite_are_refused(bad: float) -> None:
    with pytest.raises(SvfapError, match=r"toy fold 1: .*not finite"):
        fold(scores=np.full((4, 3), bad))


def test_ragged_columns_are_a_bug() -> None:
    with pytest.raises(ValueError, match="lengths"):
        fold(views=np.zeros(3, int))
    with pytest.raises(ValueError, match="lengths"):
        fold(targets=np.zeros(4))
