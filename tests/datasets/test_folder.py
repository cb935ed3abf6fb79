"""The user's own CSV: the dataset of a correct one, and a one-line error for each mistake."""

import csv
import logging
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from svfap.config import DatasetConfig
from svfap.config.labels import Task
from svfap.datasets import get
from svfap.datasets.dataset import Clip, Dataset, leave_one_part_out
from svfap.datasets.folder import load
from svfap.errors import SvfapError
from svfap.stages import download
from svfap.video.encode import write_video

GOOD = "path,label,subject\na.mp4,sad,anna\nb.mp4,happy,anna\nc.mp4,sad,ben\nd.mp4,happy,ben\n"


def table(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "my.csv"
    path.write_bytes(text.encode())
    return path


def read(
    tmp_path: Path,
    text: str,
    *,
    task: Task = "classification",
    folds: int = 2,
    classes: tuple[str, ...] = (),
) -> Dataset:
    return load("mine", table(tmp_path, text), task=task, folds=folds, classes=classes)


def fail(
    tmp_path: Path,
    text: str,
    *,
    task: Task = "classification",
    folds: int = 2,
    classes: tuple[str, ...] = (),
) -> str:
    with pytest.raises(SvfapError) as caught:
        read(tmp_path, text, task=task, folds=folds, classes=classes)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(tmp_path / "my.csv"))
    return message.removeprefix(f"{tmp_path / 'my.csv'}: ")


def fetched(dataset: Dataset, root: Path) -> list[Clip]:
    dataset.fetch(root)
    return list(dataset.clips(root))


def test_classification(tmp_path: Path) -> None:
    dataset = read(tmp_path, GOOD)
    assert dataset.name == "mine"
    assert dataset.targets == ("happy", "sad")
    assert dataset.parts == ("fold1", "fold2")
    assert dataset.folds == leave_one_part_out(dataset.parts)
    assert dataset.metrics == ("UAR", "WAR")
    clips = fetched(dataset, tmp_path / "raw")
    assert [clip.key for clip in clips] == ["a", "b", "c", "d"]
    assert [clip.target for clip in clips] == [(1.0,), (0.0,), (1.0,), (0.0,)]
    assert [clip.subject for clip in clips] == ["anna", "anna", "ben", "ben"]
    assert [clip.part for clip in clips] == ["fold1", "fold1", "fold2", "fold2"]
    assert clips[0].path == tmp_path / "a.mp4"


def test_as_spreadsheets_write_it(tmp_path: Path) -> None:
    """Byte order mark, Windows line ends, blanks, empty lines, quotation marks, any case."""
    text = (
        "\ufeffPath , LABEL,Subject,note,\r\n"
        '"my clips/a, b.mp4", sad ,anna,x,\r\n'
        "\r\n,,,,\r\nb.mp4,happy,anna\r\nc.mp4,sad,ben,,\r\nd.mp4,happy,ben,,\r\n"
    )
    clips = fetched(read(tmp_path, text), tmp_path / "raw")
    assert clips[0].path == tmp_path / "my clips" / "a, b.mp4"
    assert [clip.key for clip in clips] == ["a_b", "b", "c", "d"]


def test_classes_give_the_order(tmp_path: Path) -> None:
    dataset = read(tmp_path, GOOD, classes=("sad", "happy"))
    assert dataset.targets == ("sad", "happy")
    assert [clip.target for clip in fetched(dataset, tmp_path)][:2] == [(0.0,), (1.0,)]


def test_numbered_classes_are_in_order_of_number(tmp_path: Path) -> None:
    rows = [f"{s}{label}.mp4,{label},{s}" for s in "ab" for label in (10, 9, 1)]
    assert read(tmp_path, "path,label,subject\n" + "\n".join(rows)).targets == ("1", "9", "10")


def test_named_folds(tmp_path: Path) -> None:
    rows = [f"{fold}{label}.mp4,{label},{fold}" for fold in (10, 2, 1) for label in ("x", "y")]
    dataset = read(tmp_path, "path,label,fold\n" + "\n".join(rows), folds=5)
    assert dataset.parts == ("1", "2", "10")
    assert dataset.folds["2"].train == ("1", "10")
    assert [clip.part for clip in fetched(dataset, tmp_path)] == ["10", "10", "2", "2", "1", "1"]


def test_regression_takes_the_columns_of_numbers(tmp_path: Path) -> None:
    text = (
        "path,valence,fold,arousal,mood\na.mp4,0.5,x,-1e-1,good\nb.mp4,1,y,2,bad\nc.mp4,0,y,0,bad\n"
    )
    dataset = read(tmp_path, text, task="regression")
    assert dataset.targets == ("valence", "arousal")
    assert [clip.target for clip in fetched(dataset, tmp_path)] == [(0.5, -0.1), (1, 2), (0, 0)]
    assert dataset.metrics == ("CCC", "PCC")
    assert read(tmp_path, text, task="regression", classes=("arousal",)).targets == ("arousal",)


def test_regression_of_a_label(tmp_path: Path) -> None:
    text = "path,label,fold\na.mp4,0.5,x\nb.mp4,1,y\n"
    assert read(tmp_path, text, task="regression").targets == ("label",)


def test_unlabelled_needs_paths_only(tmp_path: Path) -> None:
    dataset = read(tmp_path, "path\na.mp4\nb.mp4\nc.mp4\n", task="unlabelled")
    assert dataset.parts == ("part1", "part2")
    assert dataset.folds == {}
    clips = fetched(dataset, tmp_path)
    assert [(clip.part, clip.target) for clip in clips] == [
        ("part1", ()),
        ("part2", ()),
        ("part1", ()),
    ]
    assert read(tmp_path, "path\na.mp4\n", task="unlabelled", folds=5).parts == ("part1",)


def test_distributing_balances_clips_and_classes(tmp_path: Path) -> None:
    """25 subjects of very different size; a rare class that only five of them show."""
    lines = ["path,label,subject"]
    for subject in range(25):
        for clip in range(4 + subject % 7):
            label = "rare" if subject < 5 and clip == 0 else "xyz"[clip % 3]
            lines.append(f"{subject}-{clip}.mp4,{label},s{subject}")
    dataset = read(tmp_path, "\n".join(lines), folds=5)
    clips = fetched(dataset, tmp_path)
    sizes = Counter(clip.part for clip in clips)
    assert max(sizes.values()) <= 1.15 * min(sizes.values())
    assert {clip.part for clip in clips if clip.target == (0.0,)} == {*dataset.parts}
    homes = {(clip.subject, clip.part) for clip in clips}
    assert len(homes) == 25
    again = load("mine", tmp_path / "my.csv", task="classification", folds=5)
    assert fetched(again, tmp_path) == clips
    lines[1:] = reversed(lines[1:])
    turned = fetched(read(tmp_path, "\n".join(lines), folds=5), tmp_path)
    assert {(clip.subject, clip.part) for clip in turned} == homes


def test_log_says_how_folds_were_made_and_which_classes_they_lack(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [f"{subject}{label}.mp4,{label},{subject}" for subject in "abcdef" for label in "xy"]
    (tmp_path / "my.csv").write_text(
        "\n".join(["path,label,subject", *rows, "1.mp4,rare,a", "2.mp4,rare,b"])
    )
    config = DatasetConfig(csv=tmp_path / "my.csv", folds=3)
    source = get("mine", config)
    assert "3 folds of 4 to 5 clips, 6 subjects. Each subject is in one fold," in source.split
    home = {clip.subject: clip.part for clip in source.clips(tmp_path)}
    (lacking,) = {*source.parts} - {home["a"], home["b"]}
    assert source.gaps.startswith(f"{lacking} has no rare: not tested there")
    with caplog.at_level("INFO", "svfap.stages.download"):
        download.run(config, dataset="mine", output=tmp_path / "manifest.csv", log=lambda _: None)
    logged = [(record.levelname, record.message) for record in caplog.records]
    assert logged[1:] == [("INFO", f"mine: {source.split}"), ("WARNING", f"mine: {source.gaps}")]


def test_split_says_that_folds_are_the_users(tmp_path: Path) -> None:
    text = "path,label,fold\na.mp4,x,1\nb.mp4,y,1\nc.mp4,x,2\nd.mp4,y,2\n"
    dataset = read(tmp_path, text, folds=5)
    assert dataset.split == (
        "2 folds of 2 clips, as the column 'fold' names them; no subjects are named, so one"
        " person may be in several."
    )
    assert dataset.gaps == ""


def test_keys_are_safe_unique_and_do_not_depend_on_the_order(tmp_path: Path) -> None:
    paths = ["x/a.b c.mp4", "y/a.b c.mp4", "y/A.B c.avi", "é-/ü.mp4", "漢.mp4", "d" * 200 + ".mp4"]
    text = "path\n" + "\n".join(paths)
    clips = fetched(read(tmp_path, text, task="unlabelled"), tmp_path)
    keys = [clip.key for clip in clips]
    assert len({key.casefold() for key in keys}) == len(paths)
    assert all(key.replace("-", "").replace("_", "").isalnum() and key.isascii() for key in keys)
    assert keys[0].startswith("a_b_c-")
    assert keys[3:5] == ["u", "clip"]
    assert len(keys[5]) == 80
    turned = "path\n" + "\n".join(reversed(paths))
    again = fetched(read(tmp_path, turned, task="unlabelled"), tmp_path)
    assert {clip.path: clip.key for clip in again} == {clip.path: clip.key for clip in clips}


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SvfapError, match=r"no\.csv: cannot be read \(No such file"):
        load("mine", tmp_path / "no.csv", task="classification", folds=2)


def test_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "my.csv"
    path.write_bytes(b"path,label\n\xe9.mp4,x\n")
    with pytest.raises(SvfapError, match=r"my\.csv: not UTF-8 text \(byte 12\); save it as"):
        load("mine", path, task="classification", folds=2)


ROWS = "a.mp4,sad,anna\nb.mp4,happy,ben\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; it needs a header row"),
        ("\n\n", "is empty; it needs a header row"),
        ("path,label,subject\n,,\n", "lists no videos; add one row per video"),
        ('path,label\n"a.mp4,x\n', "not valid CSV (unexpected end of data)"),
        ("file,label,subject\n" + ROWS, "column 'path' is missing (found: file, label, subject)"),
        ("path,label;subject\na,b;c\n", "row 1: ';' in 'label;subject'; separate columns by"),
        ("b/../a.mp4,sad,anna\n", "column 'path' is missing"),
        ("path,mood,subject\n" + ROWS, "column 'label' is missing (found: path, mood, subject)"),
        ("path,label,Label\n" + ROWS, "column 'label' occurs twice"),
        ("path,label\na.mp4,x\nb.mp4,y\n", "add a column 'subject' or 'fold'"),
        (GOOD + "e.mp4,sad,ben,5\n", "row 6: 4 values for 3 columns"),
        (GOOD + ",sad,ben\n", "row 6: blank path"),
        (GOOD + "\ne.mp4, ,ben\n", "row 7: blank label"),
        (GOOD + "e.mp4\n", "row 6: blank label"),
        (GOOD + "e.mp4,sad,\n", "row 6: blank subject"),
        (GOOD + "./b.mp4,sad,ben\n", "row 6: path './b.mp4' is in row 3 too"),
        ("\n" + GOOD, "row 1 is blank; it needs a header row"),
        (GOOD + "e.mp4\tsad,ben\n", "row 6: a tab in 'e.mp4 sad'; separate columns by commas"),
        (
            GOOD + "C:\\e.mp4,sad,ben\n",
            "row 6: path 'C:\\e.mp4': C: is a drive of Windows; in WSL, write /mnt/c/e.mp4",
        ),
        (GOOD + "https:/x/e.mp4,sad,ben\n", "row 6: path 'https:/x/e.mp4': write https://"),
        (GOOD + "s3://x/e.mp4,sad,ben\n", "row 6: path 's3://x/e.mp4': s3:// is neither"),
        (GOOD + "e.mp4,Sad,ben\n", "is each of these one label? 'sad' (row 2) = 'Sad' (row 6)"),
        ("path,label,subject\na.mp4,x,s\nb.mp4,x,t\n", "every label is 'x'; add rows with"),
        ("path,label,fold\na.mp4,x,1\nb.mp4,y,\n", "row 3: blank fold"),
        ("path,label,fold\na.mp4,x,1\nb.mp4,y,2.5\n", "row 3: fold '2.5' may hold only letters"),
        ("path,label,fold\na.mp4,x,1\nb.mp4,y,1\n", "column 'fold' names one fold only"),
        ("path,label,fold\na,x,1\nb,y,1\nc,x,2\n", "class 'y' has no training clips when '1' is"),
        (GOOD + "e.mp4,,ben\nf.mp4,,ben\n", "rows 6, 7: blank label; fill it in or delete the row"),
        (GOOD + "hapy.mp4,hapy,ben\n", "class 'hapy' (did you mean 'happy'?) has no training"),
        (GOOD + "b.mp4,sad,ben\n" * 2, "row 6: path 'b.mp4' is in row 3 too (and 1 more row"),
        ("path,label,subject\n" + ROWS, "class 'sad' has no training clips when 'fold1' is tested"),
    ],
)
def test_wrong_csv(tmp_path: Path, text: str, message: str) -> None:
    assert fail(tmp_path, text).startswith(message)


def test_subject_in_two_folds(tmp_path: Path) -> None:
    text = "path,label,subject,fold\na.mp4,x,anna,one\nb.mp4,y,ben,two\nc.mp4,y,anna,two\n"
    message = fail(tmp_path, text)
    assert message.startswith("row 4: subject 'anna' is in fold 'one' and in fold 'two'")


def test_fewer_subjects_than_folds(tmp_path: Path) -> None:
    message = fail(tmp_path, GOOD, folds=5)
    assert message == "2 subjects cannot fill 5 folds; lower datasets.mine.folds to at most 2"


def test_one_subject(tmp_path: Path) -> None:
    message = fail(tmp_path, GOOD.replace("ben", "anna"))
    assert message.startswith("all videos show one subject")
    assert "replace the column 'subject' by 'fold'" in message


def test_unknown_label(tmp_path: Path) -> None:
    message = fail(tmp_path, GOOD + "e.mp4,hapy,ben\n", classes=("happy", "sad"))
    assert message == "row 6: unknown label 'hapy'; did you mean 'happy'? known: happy, sad"


def test_unknown_label_like_no_other(tmp_path: Path) -> None:
    message = fail(tmp_path, GOOD + "e.mp4,xyz,ben\n", classes=("happy", "sad"))
    assert message == "row 6: unknown label 'xyz'; known: happy, sad"


def test_class_named_twice(tmp_path: Path) -> None:
    assert "a class is named twice" in fail(tmp_path, GOOD, classes=("sad", "happy", "sad"))


def test_class_without_clips(tmp_path: Path) -> None:
    message = fail(tmp_path, GOOD, classes=("sad", "happy", "bored"))
    assert message.startswith("class 'bored' has no training clips when 'fold1' is tested")


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ("x,", "row 2: start 'x' is not a number"),
        (",1:30", "row 2: end '1:30' is not a number"),
        ("nan,", "row 2: start 'nan' is not a number"),
        ("-1,", "row 2: start must be 0 or later and end after start"),
        ("2,2", "row 2: start must be 0 or later and end after start"),
    ],
)
def test_wrong_times(tmp_path: Path, cells: str, message: str) -> None:
    text = f"path,start,end\na.mp4,{cells}\n"
    assert fail(tmp_path, text, task="unlabelled").startswith(message)


@pytest.mark.parametrize("value", ["high", "nan", "0;5"])
def test_target_that_is_no_number(tmp_path: Path, value: str) -> None:
    text = f"path,arousal,fold\na.mp4,0.5,x\nb.mp4,{value},y\n"
    message = fail(tmp_path, text, task="regression")
    assert message == f"row 3: arousal '{value}' is not a number; write it like 0.5"


def test_blank_target(tmp_path: Path) -> None:
    text = "path,arousal,fold\na.mp4,0.5,x\nb.mp4,,y\n"
    assert fail(tmp_path, text, task="regression").startswith("row 3: blank arousal")


@pytest.mark.parametrize(
    ("header", "classes", "message"),
    [
        ("path,mood,fold", (), "column 'label' is missing (found: path, mood, fold)"),
        ("path,label,fold", (), "row 2: label 'good' is not a number"),
        ("path,mood,fold", ("joy",), "column 'joy' is missing"),
    ],
)
def test_regression_without_numbers(
    tmp_path: Path, header: str, classes: tuple[str, ...], message: str
) -> None:
    text = f"{header}\na.mp4,good,x\nb.mp4,bad,y\n"
    assert fail(tmp_path, text, task="regression", classes=classes).startswith(message)


def video(path: Path, frames: int = 20) -> None:
    shades = np.linspace(0, 255, frames).astype(np.uint8)
    write_video(path, (np.full((32, 32, 3), shade, np.uint8) for shade in shades), fps=10)


def failures(root: Path) -> list[dict[str, str]]:
    with (root / "failed.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


class Quiet(SimpleHTTPRequestHandler):
    """Serve a folder and record the requested paths."""

    def log_message(self, format: str, *args: object) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[str]]]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    (tmp_path / "web").mkdir()
    handler = partial(Quiet, directory=str(tmp_path / "web"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.asked = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", server.asked  # type: ignore[attr-defined]
        server.shutdown()


def test_urls_are_downloaded_and_dead_ones_recorded(
    tmp_path: Path, web: tuple[str, list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    url, asked = web
    video(tmp_path / "web" / "my clip.mp4")
    root = tmp_path / "raw"
    text = f"path\n{url}/my%20clip.mp4\n{url}/gone.mp4\nnowhere.mp4\n"
    dataset = read(tmp_path, text, task="unlabelled")
    assert asked == []
    with caplog.at_level(logging.WARNING):
        clips = fetched(dataset, root)
    assert [clip.key for clip in clips] == ["my_clip", "gone", "nowhere"]
    assert clips[0].path.read_bytes() == (tmp_path / "web" / "my clip.mp4").read_bytes()
    assert clips[0].path.parent == root / "downloads"
    assert [clip.path.exists() for clip in clips] == [True, False, False]
    gone, nowhere = failures(root)
    assert (gone["key"], gone["source"]) == ("gone", f"{url}/gone.mp4")
    assert "404" in gone["reason"]
    assert (nowhere["key"], nowhere["source"]) == ("nowhere", str(tmp_path / "nowhere.mp4"))
    assert f"2 of 3 videos are missing, such as {gone['reason']}" in caplog.text

    video(tmp_path / "web" / "gone.mp4")
    video(tmp_path / "nowhere.mp4")
    asked.clear()
    assert [clip.path.exists() for clip in fetched(dataset, root)] == [True] * 3
    assert [line for line in asked if "my%20clip" in line] == []
    assert not (root / "failed.csv").exists()


def frame_count(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_start_and_end_cut_clips(tmp_path: Path, web: tuple[str, list[str]]) -> None:
    url, asked = web
    video(tmp_path / "web" / "long.mp4")
    video(tmp_path / "local.mp4")
    text = f"path,start,end\n{url}/long.mp4,,0.5\n{url}/long.mp4,0.5,\nlocal.mp4,1,1.4\n"
    text += "local.mp4,50,60\nnowhere.mp4,1,2\n"
    dataset = read(tmp_path, text, task="unlabelled")
    root = tmp_path / "raw"
    clips = fetched(dataset, root)
    assert len([line for line in asked if "long" in line]) == 1
    assert len({clip.key for clip in clips}) == 5
    assert [frame_count(clip.path) for clip in clips[:3]] == [5, 15, 4]
    assert [clip.path.exists() for clip in clips[3:]] == [False, False]
    late, nowhere = failures(root)
    assert "no frames between 50.0 s and 60.0 s" in late["reason"]
    assert "is not a file" in nowhere["reason"]

    times = [clip.path.stat().st_mtime_ns for clip in clips[:3]]
    video(tmp_path / "local.mp4", frames=12)
    again = fetched(dataset, root)
    assert [clip.path for clip in again] == [clip.path for clip in clips]
    assert [clip.path.stat().st_mtime_ns for clip in again[:2]] == times[:2]
    assert frame_count(again[2].path) == 2


def test_full_disk_stops_the_run(tmp_path: Path) -> None:
    """An error of this machine is raised, not listed once per video."""
    (tmp_path / "raw").write_bytes(b"")
    dataset = read(tmp_path, "path\nhttp://127.0.0.1:9/a.mp4\n", task="unlabelled")
    with pytest.raises(SvfapError, match=r"cannot be stored as .* \(Not a directory\)"):
        fetched(dataset, tmp_path / "raw")


def test_parts_do_not_depend_on_the_process(tmp_path: Path) -> None:
    """No part may depend on the order of sets, which differs between processes."""
    table(tmp_path, GOOD.replace("anna", "zoe") + "e.mp4,sad,carl\nf.mp4,happy,carl\n")
    code = (
        "import sys; from pathlib import Path; from svfap.datasets.folder import load;"
        "d = load('m', Path(sys.argv[1]), task='classification', folds=3);"
        "print(d.targets, d.parts, [c.part for c in d.clips(Path(sys.argv[1]).parent)])"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "my.csv")]
    seen = [
        subprocess.run(
            command, env={"PYTHONHASHSEED": str(seed)}, check=True, capture_output=True, text=True
        ).stdout
        for seed in (1, 2, 3)
    ]
    assert all(one == two for one, two in pairwise(seen))
    assert "'fold3'" in seen[0]


def test_folders_of_frames_are_videos(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").write_bytes(b"x")
    text = "path,start,end\none,,\ntwo,0,1\n"
    clips = fetched(read(tmp_path, text, task="unlabelled"), tmp_path / "raw")
    assert clips[0].path == tmp_path / "one"
    assert not clips[1].path.exists()
    failed = (tmp_path / "raw" / "failed.csv").read_text()
    assert "start and end cannot cut a folder of frames" in failed
    assert "one" not in failed
