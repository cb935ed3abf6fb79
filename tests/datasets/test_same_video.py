"""One video in training and test is found behind links, copies and overlapping cuts."""

import os
import shutil

import pytest

from svfap.config import DatasetConfig
from svfap.datasets import get
from svfap.errors import SvfapError

HEADER = "path,label,fold,start,end\n"


@pytest.fixture
def folder(tmp_path):
    for name in ("a", "b", "c", "d"):
        (tmp_path / f"{name}.mp4").write_bytes(name.encode() * 100)
    return tmp_path


def fetch(folder, rows, **keys):
    (folder / "my.csv").write_text(HEADER + "\n".join(rows))
    dataset = get("mine", DatasetConfig(csv=folder / "my.csv", **keys))
    dataset.fetch(folder / "raw")
    return [*dataset.clips(folder / "raw")]


ROWS = ["a.mp4,x,1,,", "b.mp4,y,1,,", "c.mp4,x,2,,", "d.mp4,y,2,,"]


def test_different_videos_of_one_size_pass(folder):
    assert len(fetch(folder, ROWS)) == 4


@pytest.mark.parametrize(
    "alias",
    [
        lambda a, e: e.symlink_to(a),
        os.link,
        shutil.copy,
    ],
)
def test_one_video_in_two_folds_stops_the_run(folder, alias):
    alias(folder / "a.mp4", folder / "e.mp4")
    with pytest.raises(SvfapError, match="training and test: row 2 and row 6") as caught:
        fetch(folder, [*ROWS, "e.mp4,x,2,,"])
    assert "(a.mp4, e.mp4)" in str(caught.value)


def test_overlapping_cuts_in_two_folds_stop_the_run(folder):
    cuts = ["e.mp4,x,1,0,5", "e.mp4,x,2,5,9"]
    (folder / "e.mp4").write_text("eee")
    assert len(fetch(folder, [*ROWS, *cuts])) == 6
    with pytest.raises(SvfapError, match="training and test: row 6 and row 7"):
        fetch(folder, [*ROWS, cuts[0], "e.mp4,x,2,4,9"])


def test_one_video_twice_in_a_fold_is_told(folder, caplog):
    shutil.copy(folder / "a.mp4", folder / "e.mp4")
    assert len(fetch(folder, [*ROWS, "e.mp4,x,1,,"])) == 5
    assert "the same video twice: row 2 and row 6" in caplog.text


def test_unlabelled_videos_are_not_compared(folder):
    shutil.copy(folder / "a.mp4", folder / "e.mp4")
    assert len(fetch(folder, [*ROWS, "e.mp4,,2,,"], task="unlabelled")) == 5
