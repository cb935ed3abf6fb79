"""The tables of the stage `crop`: what is written is read back."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from svfap.config import CropConfig
from svfap.config.labels import LabelNames
from svfap.datasets.dataset import LISTED_COLUMNS, Clip, Listed
from svfap.errors import SvfapError
from svfap.faces.clip_tables import (
    QUALITY_COLUMNS,
    ClipRow,
    quality_path,
    read_clips,
    read_quality,
    read_rejects,
    rejects_path,
    write_tables,
)
from svfap.faces.cropped_video import CroppedClip, CroppedVideo, Quality

QUALITY = Quality(1.0, 0.9, 80.0, 0.2, 0.4, 0.3, 5.0, 4.0, 3.0, 0.5, 2, 3, 0.0)
VIDEOS = [
    (
        Clip("a/b", Path("a.mp4"), "p0", "anna", (1.0, 0.5)),
        CroppedVideo(
            "f",
            (CroppedClip(20, 25.0, 0.0, QUALITY, "0badcafe"), CroppedClip(9, 25.0, 1.5, QUALITY)),
        ),
    ),
    (Clip("NA", Path("b, c.mp4"), "p0"), CroppedVideo("f", reject="no face, at all")),
]


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    path = tmp_path / "clips.csv"
    write_tables(path, VIDEOS, CropConfig(max_rejects=0.7))
    return path


def test_clips_are_read_back(clips: Path) -> None:
    first, second = read_clips(clips)
    settings = CropConfig().model_dump(mode="json", exclude={"max_rejects", "missing", "keep"})
    assert first == ClipRow(
        "a/b",
        "faces/a%2Fb.mkv",
        "anna",
        "a/b",
        (1.0, 0.5),
        20,
        25.0,
        0.0,
        json.dumps(settings),
        "0badcafe",
    )
    assert (second.key, second.group, second.start) == ("a/b~2", "a/b", 1.5)


def test_a_clip_says_what_its_label_means_and_where_it_comes_from(tmp_path: Path) -> None:
    clip, video = VIDEOS[0]
    labels = LabelNames(dataset="mine", task="classification", names=("sad", "a, b"))
    described = replace(
        clip, target=(1.0,), labels=labels, listed=Listed("my/a.mp4", None, 12345.678)
    )
    path = tmp_path / "clips.csv"
    write_tables(path, [(described, video)], CropConfig())
    first, second = read_clips(path)
    assert (first.labels, first.listed) == (labels, Listed("my/a.mp4", None, 12345.678))
    assert (second.labels, second.listed) == (first.labels, first.listed)
    table = pd.read_csv(path)
    assert table["label"].tolist() == ["a, b", "a, b"]
    table.drop(columns=[*LISTED_COLUMNS, "label", "labels"]).to_csv(path, index=False)
    assert read_clips(path)[0].labels == LabelNames()  # as of an earlier version


def test_quality_is_read_back_with_the_files(clips: Path) -> None:
    table = read_quality(clips)
    assert [*table.columns] == [*QUALITY_COLUMNS, "file"]
    assert [*table["file"]] == [clips.parent / row.path for row in read_clips(clips)]
    assert [*table["frames"]] == [20, 9]
    quality_path(clips).unlink()
    with pytest.raises(FileNotFoundError):
        read_quality(clips)


def test_rejects_are_read_back_as_text(clips: Path) -> None:
    table = read_rejects(rejects_path(clips))
    assert table.to_numpy().tolist() == [["NA", "b, c.mp4", "no face, at all"]]
    rejects_path(clips).write_text("key,why\n")
    with pytest.raises(SvfapError, match=r"rejects\.csv: not a list of rejects \(.+\); crop again"):
        read_rejects(rejects_path(clips))
