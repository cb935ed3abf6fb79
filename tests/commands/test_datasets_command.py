"""`python -m svfap datasets`: the list of datasets, and what is missing here."""

import pytest
from helpers.dataset_copies import Media, crema_d

from svfap.__main__ import main
from svfap.datasets import DATASETS


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def show(capsys, *arguments: str) -> str:
    assert main(["datasets", *arguments]) == 0
    return capsys.readouterr().out


def lines_of(text: str) -> dict[str, str]:
    return {line.split()[0]: line for line in text.splitlines() if line.strip()}


def test_every_dataset_has_a_line(capsys):
    lines = lines_of(show(capsys))
    assert {*lines} == {"dataset", *DATASETS}
    assert lines["DFEW"].split()[1:4] == ["classification", "11,697", "5"]
    assert "CC BY-NC-SA 4.0" in lines["RAVDESS"]
    assert all(line.split()[-1] == "no" for name, line in lines.items() if name != "dataset")


def test_what_is_here_and_what_is_prepared(capsys, tmp_path):
    media = tmp_path / "media"
    media.mkdir()
    crema_d(tmp_path / "data" / "raw" / "CREMA-D", Media(media))
    (tmp_path / "data" / "raw" / "DFEW").mkdir()
    (tmp_path / "data" / "raw" / "DFEW" / "manifest.csv").touch()
    lines = lines_of(show(capsys))
    assert lines["CREMA-D"].endswith(" found")
    assert lines["DFEW"].endswith(" prepared")
    assert "Here: complete, 7,442 clips" in show(capsys, "CREMA-D")
    next((tmp_path / "data" / "raw" / "CREMA-D" / "VideoFlash").iterdir()).unlink()
    assert "Here: CREMA-D: 7,441 of 7,442 clips" in show(capsys, "CREMA-D", "--data", "data")


def test_one_dataset(capsys):
    text = " ".join(show(capsys, "DFEW").split())
    assert "disgust 145" in text
    assert "fold set_5: 9,361 clips for training, 2,336 for testing" in text
    assert "no redistribution" in text
    assert "Here: DFEW: no `EmoLabel_DataSplit` in data/raw/DFEW; apply at https://dfew" in text


@pytest.mark.parametrize("name", DATASETS)
def test_all_can_be_shown(name, capsys):
    text = show(capsys, name)
    assert text.splitlines()[0] == name
    assert "licence" in text
    assert text.strip().splitlines()[-1].startswith("Here: ")


def test_a_configuration_gives_paths_variants_and_own_datasets(capsys, tmp_path):
    rows = ("path,label,subject", "a.mp4,x,a", "b.mp4,y,a", "c.mp4,x,b", "d.mp4,y,b")
    (tmp_path / "my.csv").write_text("\n".join(rows))
    (tmp_path / "mine.yaml").write_text(
        "datasets: {RAVDESS: {variant: 7-classes, root: /nowhere}, mine: {csv: my.csv, folds: 2}}\n"
        "finetune: {init: scratch}\n"
    )
    assert "calm" not in show(capsys, "RAVDESS", "--config", "mine.yaml").split("notice")[0]
    assert "/nowhere" in show(capsys, "RAVDESS", "--config", "mine.yaml")
    assert "mine" in lines_of(show(capsys, "--config", "mine.yaml"))
    shown = show(capsys, "mine", "--config", "mine.yaml")
    assert "Here: complete, 4 clips (no published count" in shown


def test_mistakes_give_one_line(capsys):
    assert main(["datasets", "DFE"]) == 2
    assert "did you mean 'DFEW'?" in capsys.readouterr().err
    assert main(["datasets", "--config", "none.yaml"]) == 2
    assert "none.yaml: cannot be read" in capsys.readouterr().err
