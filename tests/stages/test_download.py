"""The manifest is complete and consistent, or not written."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from svfap import datasets
from svfap.config import DatasetConfig
from svfap.config.labels import LabelNames, Task
from svfap.datasets.dataset import (
    Clip,
    Dataset,
    Listed,
    leave_one_part_out,
    read_manifest,
    write_manifest,
)
from svfap.errors import SvfapError
from svfap.stages.download import run

CLIP = Clip("a", Path("a.mp4"), "one", "anna", (0.0,))
CLIPS = (CLIP, Clip("b", Path("b.mp4"), "two", "ben", (1.0,)))


@pytest.fixture
def listing(tmp_path: Path) -> Path:
    path = tmp_path / "my.csv"
    path.write_text("path,label,subject\na.mp4,x,anna\nb.mp4,y,anna\nc.mp4,x,ben\nd.mp4,y,ben\n")
    return path


def declare(
    monkeypatch: pytest.MonkeyPatch, clips: Iterable[Clip], task: Task = "classification"
) -> None:
    """Register a dataset `facts` that yields the clips."""
    parts = ("one", "two")
    folds = leave_one_part_out(parts)
    dataset = Dataset("facts", task, ("x", "y"), parts, folds, lambda _: clips)
    monkeypatch.setitem(datasets.DATASETS, "facts", dataset)


def attempt(
    output: Path, dataset: str = "facts", csv: Path | None = None
) -> list[dict[str, float]]:
    logged: list[dict[str, float]] = []
    run(DatasetConfig(csv=csv, folds=2), dataset=dataset, output=output, log=logged.append)
    return logged


def fail(output: Path, dataset: str = "facts") -> str:
    with pytest.raises(SvfapError) as caught:
        attempt(output, dataset)
    assert "\n" not in str(caught.value)
    assert not output.exists()
    assert not output.parent.is_dir() or not list(output.parent.glob(".*"))
    return str(caught.value)


def test_manifest_of_own_videos(tmp_path: Path, listing: Path) -> None:
    output = tmp_path / "data" / "raw" / "mine" / "manifest.csv"
    logged = attempt(output, "mine", csv=listing)
    assert logged == [{"clips": 4, "subjects": 2, "missing": 0}]
    clips = list(read_manifest(output))
    assert [clip.listed.path for clip in clips] == [f"{name}.mp4" for name in "abcd"]
    assert {clip.labels.dataset for clip in clips} == {"mine"}
    assert [clip.path for clip in clips] == [tmp_path / f"{name}.mp4" for name in "abcd"]
    assert [clip.target for clip in clips] == [(0.0,), (1.0,), (0.0,), (1.0,)]
    assert sorted(path.name for path in output.parent.iterdir()) == ["failed.csv", "manifest.csv"]


def test_a_manifest_keeps_what_the_list_says(tmp_path: Path) -> None:
    """Path, start and end as the user wrote them, and what the labels mean."""
    csv = tmp_path / "mine.csv"
    csv.write_text(
        "path,label,subject,start,end\n"
        "a.mp4,zufrieden,anna,,\n"
        "./b.mp4,ärgerlich,ben,0,12345.678\n"
        "https://example.org/c.mp4?token=hunter22,zufrieden,ben,,\n"
        "c.mp4,ärgerlich,anna,1.50,\n",
        encoding="utf-8",
    )
    output = tmp_path / "manifest.csv"
    mine = datasets.get("mine", DatasetConfig(csv=csv, folds=2))
    names = ("zufrieden", "ärgerlich")
    labels = LabelNames(dataset="mine", task="classification", names=names)
    write_manifest(output, mine.clips(tmp_path), labels=labels)
    clips = list(read_manifest(output))
    assert [clip.listed for clip in clips] == [
        Listed("a.mp4"),
        Listed("./b.mp4", 0, 12345.678),
        Listed("https://example.org/c.mp4?token=***"),
        Listed("c.mp4", 1.5),
    ]
    assert [clip.labels for clip in clips] == [labels] * 4
    rows = pd.read_csv(output)
    assert rows["label"].tolist() == ["zufrieden", "ärgerlich"] * 2
    assert rows["listed_start"].tolist()[1::2] == [0, 1.5]


def test_manifests_of_earlier_versions(tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    path.write_text("key,path,part,subject,group,target,source\na,a.mp4,p,anna,a,1,\n")
    (clip,) = read_manifest(path)
    assert (clip.listed, clip.labels, clip.target) == (Listed(), LabelNames(), (1.0,))


def test_paths_below_the_manifest_are_relative(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = tmp_path / "mine" / "videos" / "a.mp4"
    declare(monkeypatch, [replace(CLIP, path=inside), CLIPS[1]])
    attempt(tmp_path / "mine" / "manifest.csv")
    lines = (tmp_path / "mine" / "manifest.csv").read_text().splitlines()
    assert lines[1] == (
        "a,videos/a.mp4,one,anna,a,0,,x,videos/a.mp4,,,"
        '"{""dataset"":""facts"",""task"":""classification"",""names"":[""x"",""y""]}"'
    )
    assert [clip.key for clip in read_manifest(tmp_path / "mine" / "manifest.csv")] == ["a", "b"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"key": "a.b"}, "clip 'a.b': its key may hold only letters"),
        ({"key": ""}, "clip '': its key may hold only letters"),
        ({"key": "B"}, "clip 'b': its key occurs twice"),
        ({"part": "six"}, "clip 'a': unknown part 'six'; known: one, two"),
        ({"part": "two"}, "part 'one' has no clips"),
        ({"target": (2.0,)}, "clip 'a': target (2.0,) is not one class index from 0 to 1"),
        ({"target": (0.5,)}, "clip 'a': target (0.5,) is not one class index from 0 to 1"),
        ({"target": ()}, "clip 'a': target () is not one class index from 0 to 1"),
    ],
)
def test_inconsistent_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], message: str
) -> None:
    declare(monkeypatch, [replace(CLIP, **changes), CLIPS[1]])
    assert fail(tmp_path / "manifest.csv").startswith(f"facts: {message}")


@pytest.mark.parametrize(
    ("task", "target", "message"),
    [
        ("regression", (0.5,), "1 targets instead of 2"),
        ("regression", (0.5, float("nan")), "is not finite"),
        ("unlabelled", (1.0,), "in unlabelled data"),
    ],
)
def test_inconsistent_target(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    task: Task,
    target: tuple[float, ...],
    message: str,
) -> None:
    declare(monkeypatch, [replace(CLIP, target=target)], task=task)
    assert message in fail(tmp_path / "manifest.csv")


def test_no_clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, [])
    assert fail(tmp_path / "manifest.csv").startswith("facts: no clips were found")


def test_unwritable_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, CLIPS)
    (tmp_path / "file").write_bytes(b"")
    message = fail(tmp_path / "file" / "mine" / "manifest.csv")
    assert "cannot be written (Not a directory)" in message


def test_output_that_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, CLIPS)
    (tmp_path / "manifest.csv").mkdir()
    with pytest.raises(SvfapError, match=r"cannot be written \(Is a directory\)"):
        attempt(tmp_path / "manifest.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.csv"]


def test_failure_leaves_the_old_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, CLIPS)
    output = tmp_path / "manifest.csv"
    attempt(output)
    before = output.read_bytes()
    declare(monkeypatch, [CLIP, CLIP])
    with pytest.raises(SvfapError, match="its key occurs twice"):
        attempt(output)
    assert output.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.csv"]


def test_unknown_dataset(tmp_path: Path) -> None:
    assert fail(tmp_path / "manifest.csv", "dmo").startswith("unknown dataset 'dmo'")
