"""The command `new`: from a list of videos to a configuration that runs."""

import csv
import os
from pathlib import Path

import pytest
import yaml
from helpers.toy_project import ROOT, snakemake

from svfap.__main__ import main
from svfap.commands import new, new_text
from svfap.commands.new_list import OwnList
from svfap.demo.videos import render_video
from svfap.errors import SvfapError
from svfap.experiment import resolve

ACCEPT = ("--accept-licence", "CC-BY-NC-4.0")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """An empty folder, without GPU and without the hub."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", os.defpath)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("SVFAP_WEIGHTS", str(tmp_path / "weights"))
    return tmp_path


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "face.mp4"
    render_video(path, 0, "happy")
    return path


def write(video, header, *rows, name="list.csv"):
    """A list whose paths all lead to one video, by different names."""
    with Path(name).open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(header)
        for number, row in enumerate(rows):
            path = Path(f"{number}.mp4")
            if not path.exists():
                path.symlink_to(video)
            lines.writerow([path, *row])
    return name


def made(*arguments):
    """The values of the configuration that a call writes, checked, and what it printed."""
    shown = new.run(arguments)
    path = Path(shown.split(": ")[0])
    text = path.read_text()
    values = yaml.safe_load(text)
    resolve.resolve(values, where=str(path))
    return values, shown


def people(count, each=1):
    return [f"p{number // each}" for number in range(count)]


def test_few_classes(video):
    rows = [(label, person) for person in people(12) for label in ("yes", "no", "no")]
    values, shown = made(write(video, ("path", "label", "subject"), *rows))
    assert values["results"] == "results/list"
    assert values["datasets"] == {"list": {"csv": "list.csv", "folds": 5}}
    assert values["finetune"]["init"] == "scratch"
    assert values["finetune"]["balance"] == "sampler"
    assert values["finetune"]["final"]
    assert "36 videos of 12 people, 2 classes (no 24, yes 12)" in shown
    assert "forecast: " in shown
    assert shown.endswith("svfap run config/list.yaml")


def test_the_small_recipe_is_the_one_that_was_measured(video):
    rows = [(label, person) for person in people(12) for label in "ab"]
    values, _ = made(write(video, ("path", "label", "subject"), *rows))
    tuned = yaml.safe_load((ROOT / "config" / "small.yaml").read_text())
    for section in ("crop", "model", "baseline", "machine"):
        assert values[section] == tuned[section]
    epochs, before = values["finetune"]["optim"].pop("epochs"), tuned["finetune"]["optim"]
    assert epochs > before.pop("epochs")  # fewer clips, as many steps
    assert values["finetune"].pop("final")
    for finetune in (values["finetune"], tuned["finetune"]):
        finetune.pop("stride")
    assert values["finetune"] == tuned["finetune"]


def test_numbers_are_regressed(video):
    rows = [(f"{number / 7:.2f}", number, person) for number, person in enumerate(people(12))]
    values, shown = made(write(video, ("path", "valence", "arousal", "subject"), *rows))
    assert values["datasets"]["list"]["task"] == "regression"
    assert values["datasets"]["list"]["classes"] == ["valence", "arousal"]
    assert "balance" not in values["finetune"]
    assert "values to predict: valence, arousal" in shown


def test_a_few_whole_numbers_are_classes_unless_the_user_says_otherwise(video):
    rows = [(number % 3, person) for number, person in enumerate(people(12))]
    name = write(video, ("path", "label", "subject"), *rows)
    assert "task" not in made(name)[0]["datasets"]["list"]
    values, _ = made(name, "--task", "regression", "--name", "rated")
    assert values["datasets"]["rated"]["classes"] == ["label"]


def test_without_labels_the_videos_serve_to_pre_train(video):
    values, shown = made(write(video, ("path",), *[()] * 8))
    assert values["pretrain"]["datasets"] == ["list"]
    assert values["datasets"] == {
        "list": {"csv": "list.csv", "task": "unlabelled"},
        "CREMA-D": {},
    }
    assert "no labels" in shown


def test_a_missing_subject_is_one_line(video, capsys):
    assert main(["new", write(video, ("path", "label"), ("a",), ("b",))]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "add a column 'subject' or 'fold'" in line
    assert not Path("config").exists()


def test_each_video_can_count_as_another_person(video):
    name = write(video, ("path", "label"), *[(label,) for label in "abcabc" * 2])
    values, shown = made(name, "--subject", "path")
    assert values["datasets"]["list"]["columns"] == {"subject": "path"}
    assert "12 videos of 12 people" in shown
    assert "caution:  each video counts as another person" in shown
    split = resolve.resolve(values, where="list").datasets["list"].split
    assert "each video counts as another person. If somebody is in two videos" in split


@pytest.mark.parametrize(
    "header",
    [
        ("file", "emotion", "person"),
        ("Video", "class name", "Subject-ID"),
        ("seen in", "Expression", "speaker"),  # its cells are files that exist
    ],
)
def test_columns_may_have_other_names(video, header):
    rows = [(label, person) for person in people(4) for label in "ab"]
    values, shown = made(write(video, header, *rows))
    columns = dict(zip(("path", "label", "subject"), header, strict=True))
    assert values["datasets"]["list"]["columns"] == columns
    assert f"path is '{header[0]}'" in shown
    assert "8 videos of 4 people, 2 classes" in shown


def test_unused_columns_and_perhaps_misspelt_classes_are_named(video):
    rows = [(label, p, 3) for p in people(4) for label in ("happy", "hapy", "sad")]
    _, shown = made(write(video, ("path", "label", "subject", "age"), *rows))
    assert "unused:   age" in shown
    assert "check:    are 'happy' and 'hapy' one class?" in shown


def test_a_column_of_row_numbers_is_no_value(video):
    rows = [(number / 7, person, number) for number, person in enumerate(people(12))]
    values, _ = made(write(video, ("path", "valence", "subject", "Unnamed: 0"), *rows))
    assert values["datasets"]["list"]["classes"] == ["valence"]


def test_a_label_under_an_unknown_name_is_no_list_without_labels(video, capsys):
    assert main(["new", write(video, ("path", "seen", "subject"), ("a", "p"), ("b", "q"))]) == 2
    assert "column 'label' is missing (found: path, seen, subject)" in capsys.readouterr().err


def test_a_missing_file_is_compared_with_those_that_exist(video, capsys):
    write(video, ("path", "label", "subject"), ("a", "p"), ("b", "q"))
    Path("list.csv").write_text("path,label,subject\n0.MP4,a,p\n1.MP4,b,q\n")
    assert main(["new", "list.csv"]) == 2
    assert "did you mean '0.mp4'?" in capsys.readouterr().err


def test_a_folder_gets_a_list_to_fill_in(video):
    for label in ("happy", "sad"):
        Path("my clips", label).mkdir(parents=True)
        for number in range(3):
            Path("my clips", label, f"{number}.mp4").symlink_to(video)
    shown = new.run(["my clips"])
    assert shown.startswith("my clips.csv: written; it lists 6 videos")
    assert "labels:   the names of its folders (happy, sad)" in shown
    with pytest.raises(SvfapError, match=r"my clips.csv: exists, and is never overwritten"):
        new.run(["my clips"])
    with pytest.raises(SvfapError, match="add a column 'subject'"):
        new.run(["my clips.csv"])
    assert "6 videos of 6 people, 2 classes (happy 3, sad 3)" in new.run(
        ["my clips.csv", "--subject", "path"]
    )


def test_hundreds_of_videos_get_a_shorter_training():
    def epochs(videos):
        rows = [(f"https://x.org/{n}.mp4", "ab"[n % 2], f"p{n // 4}") for n in range(videos)]
        name = f"of{videos}.csv"
        with Path(name).open("w", newline="") as file:
            csv.writer(file).writerows([("path", "label", "subject"), *rows])
        return made(name)[0]["finetune"]["optim"]["epochs"]

    assert epochs(100) > epochs(420) > epochs(1600) >= new_text.FEWEST_EPOCHS


def test_a_class_of_few_people_lowers_the_folds(video):
    rows = [("a", person) for person in people(12)] + [("b", "p0"), ("b", "p1"), ("b", "p2")]
    values, _ = made(write(video, ("path", "label", "subject"), *rows))
    assert values["datasets"]["list"]["folds"] == 3


def test_the_user_s_own_folds_are_kept(video):
    rows = [("ab"[number % 2], ("train", "test")[number > 5]) for number in range(10)]
    values, _ = made(write(video, ("path", "label", "fold"), *rows))
    assert values["datasets"]["list"] == {"csv": "list.csv"}


def test_a_probe_needs_the_licence_accepted_and_fits_its_stride(video, capsys):
    rows = [(label, person) for person in people(6) for label in "ab"]
    name = write(video, ("path", "label", "subject"), *rows)
    assert main(["new", name, "--recipe", "probe"]) == 2
    assert "--accept-licence CC-BY-NC-4.0" in capsys.readouterr().err
    values, shown = made(name, "--recipe", "probe", *ACCEPT)
    assert values["finetune"]["tune"] == "probe"
    assert values["finetune"]["stride"] == 1  # 16 frames of clips of about 20
    assert "warning" not in shown


def test_public_weights_on_this_machine_are_used_if_their_licence_is_accepted(video, monkeypatch):
    monkeypatch.setattr(new, "availability", lambda _: "here")
    rows = [(label, person) for person in people(6) for label in "ab"]
    name = write(video, ("path", "label", "subject"), *rows)
    assert "tune" not in made(name)[0]["finetune"]
    values, _ = made(name, *ACCEPT, "--name", "probed")
    assert values["pretrain"]["checkpoint"] == "videomae-base"


def test_many_videos_and_a_gpu_get_the_papers_model(monkeypatch):
    monkeypatch.setattr(new, "gpus_here", lambda: ["NVIDIA H100"])
    count = new.ENOUGH_FOR_THE_PAPER
    videos = OwnList("list", Path("list.csv"), count, "classification", {}, 100, 5, ())
    assert new._choose(videos, None, False).recipe == "paper"
    rows = [(f"https://x.org/{n}.mp4", "ab"[n % 2], f"p{n // 4}") for n in range(40)]
    with Path("list.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "subject"), *rows])
    values, _ = made("list.csv", "--recipe", "paper")
    assert values["pretrain"]["datasets"] == ["list"]
    assert "model" not in values  # the paper's


def test_nothing_is_overwritten(video, capsys):
    rows = [(label, person) for person in people(4) for label in "ab"]
    name = write(video, ("path", "label", "subject"), *rows)
    made(name)
    before = Path("config/list.yaml").read_bytes()
    assert main(["new", name]) == 2
    assert "exists, and is never overwritten" in capsys.readouterr().err
    assert Path("config/list.yaml").read_bytes() == before


@pytest.mark.parametrize("stem", ["my videos (1)", "tables", "pretrain", "видео", "__"])
def test_any_name_of_a_list_gives_a_valid_experiment(stem, video):
    rows = [(label, person) for person in people(4) for label in "ab"]
    values, _ = made(write(video, ("path", "label", "subject"), *rows, name=f"{stem}.csv"))
    assert Path(values["results"]).name not in ("tables", "pretrain")


def test_missing_videos_are_counted_and_all_missing_is_an_error(video, capsys):
    rows = [(label, person) for person in people(4) for label in "ab"]
    name = write(video, ("path", "label", "subject"), *rows)
    Path("3.mp4").unlink()
    assert "missing:  1 of 8 videos, such as list.csv: row 5: " in made(name)[1]
    for path in Path().glob("*.mp4"):
        path.unlink()
    assert main(["new", name, "--name", "other"]) == 2
    assert "list.csv: row 2: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"path,label;subject\n", "separate columns by commas"),
        (b"\xff\xfea", "not UTF-8 text"),
        (b"seen,label,subject\na.mp4,a,b\n", "column 'path' is missing"),
        (b"path,label,subject\n", "lists no videos"),
    ],
)
def test_a_wrong_list_is_one_line(content, message, capsys):
    Path("list.csv").write_bytes(content)
    assert main(["new", "list.csv"]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("svfap new: error: list.csv: ")
    assert message in line


def test_a_list_that_is_not_there(capsys):
    assert main(["new", "none.csv"]) == 2
    assert "none.csv: cannot be read" in capsys.readouterr().err
    with pytest.raises(SvfapError, match=r"end its name in \.yaml"):
        new.run(["none.csv", "--output", "mine.txt"])


@pytest.mark.slow
def test_what_it_writes_runs(here, toy_videos):
    with Path("own.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label", "subject"])
        rows.writerows((path, label, f"s{person}") for (person, label), path in toy_videos.items())
    values, _ = made("own.csv", "--output", "toy.yaml")
    values["finetune"]["optim"] |= {"epochs": 2, "warmup_epochs": 1}
    values["datasets"]["own"]["folds"] = 2
    Path("toy.yaml").write_text(yaml.safe_dump(values))
    done = snakemake(here, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "own" in Path("results/own/tables/summary.md").read_text()
    assert Path("results/own/finetune/own/final/checkpoint.pt").is_file()
