"""A video that was replaced after a run reruns its part, and nothing else."""

import csv
import os
import shutil
from pathlib import Path

import pytest
import yaml
from helpers.toy_project import CONFIG, planned, snakemake

UNTIL = ("--until", "shard")


def configure(folder: Path, **keys) -> None:
    """Write a configuration of the folder's videos, without pre-training."""
    finetune = CONFIG["finetune"] | {"init": "scratch"}
    datasets = {"toy": {"csv": "my.csv"} | keys}
    kept = {key: CONFIG[key] for key in ("crop", "model")}
    text = yaml.safe_dump(kept | {"datasets": datasets, "finetune": finetune})
    (folder / "toy.yaml").write_text(text)


def jobs(folder: Path) -> dict[str, int]:
    """Return the jobs before training that a run would start."""
    found = planned(folder, arguments=UNTIL)
    return {name: count for name, count in found.items() if name not in ("total", "all", "review")}


def run(folder: Path) -> None:
    done = snakemake(folder, *UNTIL, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture
def project(tmp_path, toy_videos):
    """Four videos in two folds, the last two cut out of one, cropped and in shards."""
    names = [*toy_videos.values()][:3]
    for number, video in enumerate(names):
        shutil.copy(video, tmp_path / f"{number}.mp4")
    rows = [("0.mp4", "a", 1, "", ""), ("1.mp4", "b", 1, "", "")]
    rows += [("2.mp4", "a", 2, 0, 0.6), ("2.mp4", "b", 2, 0.6, "")]
    with (tmp_path / "my.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "fold", "start", "end"), *rows])
    configure(tmp_path)
    run(tmp_path)
    return tmp_path


def test_a_replaced_video_reruns_its_part_and_nothing_else(project, toy_videos):
    assert jobs(project) == {}
    outcomes = {path: path.stat().st_mtime_ns for path in project.rglob("faces/*.json")}
    shutil.copy([*toy_videos.values()][3], project / "0.mp4")
    os.utime(project / "0.mp4", (0, 0))  # an older file counts, too
    assert jobs(project) == {"crop": 1, "shard": 1}
    run(project)
    assert jobs(project) == {}
    again = {path.stem for path, date in outcomes.items() if path.stat().st_mtime_ns != date}
    assert again == {"0"}


@pytest.mark.slow
def test_a_replaced_video_is_cut_again(project, toy_videos):
    shutil.copy([*toy_videos.values()][3], project / "2.mp4")
    assert jobs(project) == {"download": 1, "crop": 2, "shard": 2}  # crop of part 1 is a guess
    old = {path: path.read_bytes() for path in project.rglob("cuts/*.mp4")}
    run(project)
    assert len(old) == 2
    assert all(path.read_bytes() != content for path, content in old.items())
    assert jobs(project) == {}


@pytest.mark.slow
def test_with_content_a_new_date_alone_reruns_nothing(project, toy_videos):
    configure(project, changed_by="content")
    run(project)
    os.utime(project / "0.mp4", (0, 0))
    assert jobs(project) == {}
    shutil.copy([*toy_videos.values()][3], project / "0.mp4")
    assert jobs(project) == {"crop": 1, "shard": 1}
