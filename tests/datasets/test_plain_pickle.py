"""Pickles of labels are read without importing or calling anything."""

import os
import pickle

import numpy as np
import pytest
from helpers.dataset_copies import py2_pickle

from svfap.datasets.plain_pickle import UNPICKLING_ERRORS, load_plain


class _Evil:
    def __reduce__(self):
        return os.system, ("touch hacked",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_numbers_and_arrays_of_numpy_become_plain(protocol):
    content = {
        "scalars": [np.float64(0.5), np.float32(0.25), np.int64(-4), np.uint8(200), np.bool_(True)],
        "arrays": (np.arange(6.0).reshape(2, 3), np.array(0.75), np.array([], np.float64)),
        "order": np.array([1.5, -2], dtype=">f4"),
        "plain": {1: "é", 2: None, 3: b"\xff\x00"},
    }
    read = load_plain(pickle.dumps(content, protocol=protocol))
    assert read == {
        "scalars": [0.5, 0.25, -4, 200, True],
        "arrays": [[[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]], 0.75, []],
        "order": [1.5, -2],
        "plain": {1: "é", 2: None, 3: b"\xff\x00"},
    }
    assert {type(value) for value in read["scalars"]} == {float, int, bool}


def test_a_file_of_python_2_with_numbers_of_numpy(tmp_path):
    content = {"interview": {"a.mp4": np.float64(0.1)}, "openness": {"a.mp4": 0.7}}
    py2_pickle(tmp_path / "old.pkl", content)
    assert load_plain((tmp_path / "old.pkl").read_bytes()) == content


@pytest.mark.parametrize(
    "value",
    [
        _Evil(),
        [_Evil()],
        np.array([_Evil()], dtype=object),
        np.array(["text"]),
        np.zeros(2, dtype=[("a", "f8")]),
        np.datetime64("2016-01-01"),
        np.random.default_rng(0),
        print,
    ],
)
def test_anything_else_is_refused_and_runs_nothing(value, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(pickle.UnpicklingError, match=r"it refers to|NumPy"):
        load_plain(pickle.dumps({"a": value}))
    assert not (tmp_path / "hacked").exists()


def test_a_damaged_pickle_raises_a_known_error():
    whole = pickle.dumps({"a": np.arange(4.0), "b": [np.float64(1)] * 3}, protocol=2)
    for end in range(len(whole)):
        with pytest.raises(UNPICKLING_ERRORS):
            load_plain(whole[:end])
    circle: list[object] = []
    circle.append(circle)
    with pytest.raises(UNPICKLING_ERRORS):
        load_plain(pickle.dumps(circle))
