"""One person, class or fold is one name: merged where it is safe, refused where it is doubtful."""

import unicodedata
from pathlib import Path

import pytest

from svfap.datasets.dataset import Dataset, Fold
from svfap.datasets.folder import load
from svfap.datasets.spelling import misspellings
from svfap.errors import SvfapError


def read(folder: Path, rows: list[str], header: str = "path,label,subject", **keys) -> Dataset:
    listing = folder / "my.csv"
    listing.write_text("\n".join([header, *rows]), encoding="utf-8")
    return load("mine", listing, **({"task": "classification", "folds": 2} | keys))


def rows_of(*subjects: str) -> list[str]:
    """Two clips per subject, one of each class."""
    return [f"{n}{label}.mp4,{label},{s}" for n, s in enumerate(subjects) for label in "xy"]


@pytest.mark.parametrize(
    "other",
    [
        unicodedata.normalize("NFD", "René B"),
        "René\u00a0B",
        "René  B",
        " René B\u2009",
        "René\u200b B",
    ],
)
def test_spellings_that_look_equal_are_one_person(tmp_path, other):
    dataset = read(tmp_path, rows_of("René B", other, "ben"))
    people = {clip.subject: clip.part for clip in dataset.clips(tmp_path)}
    assert people.keys() == {"René B", "ben"}
    assert len({*people.values()}) == 2


@pytest.mark.parametrize(
    "pair",
    [
        ("Anna", "anna"),
        ("01", "1"),
        ("1", "1.0"),
        ("s007", "S7"),
        ("Anna Maria", "Anna-Maria"),
        ("p 1", "p_1"),
        ("René", "Rene"),
        ("１", "1"),
        ("STRASSE", "Straße"),
    ],
)
@pytest.mark.parametrize("column", ["subject", "label"])
def test_doubtful_spellings_stop_with_the_list_until_accepted(tmp_path, pair, column):
    if column == "subject":
        rows = rows_of(*pair, "someone")
    else:
        rows = [f"{s}{n}.mp4,{label},{s}" for s in "abc" for n, label in enumerate(pair)]
    with pytest.raises(SvfapError, match=r"set datasets.mine.names_as_written: true") as caught:
        read(tmp_path, rows)
    assert all(f"'{name}' (row " in str(caught.value) for name in pair)
    dataset = read(tmp_path, rows, names_as_written=True)
    names = {clip.subject for clip in dataset.clips(tmp_path)}
    assert {*pair} <= (names if column == "subject" else {*dataset.targets})


@pytest.mark.parametrize(
    "pair",
    [("1", "-1"), ("1.5", "15"), ("1-2", "12"), ("1 2", "12"), ("1.07", "1.7"), ("C++", "C")],
)
def test_names_that_differ_are_left_alone(tmp_path, pair):
    people = {clip.subject for clip in read(tmp_path, rows_of(*pair)).clips(tmp_path)}
    assert people == {*pair}


@pytest.mark.parametrize("missing", ["NA", "nan", "N/A", "None", "null", "-", "#N/A", "?"])
def test_missing_values_are_no_class_and_no_person(tmp_path, missing):
    with pytest.raises(SvfapError, match=r"row 6: label '.*' looks like a missing value"):
        read(tmp_path, [*rows_of("anna", "ben"), f"e.mp4,{missing},ben"])
    with pytest.raises(SvfapError, match=r"row 2: subject '.*' looks like a missing value"):
        read(tmp_path, rows_of(missing, "ben"))


def test_a_class_may_be_called_none_if_the_user_names_it(tmp_path):
    rows = [f"{s}{label}.mp4,{label},{s}" for s in "ab" for label in ("none", "smile")]
    assert read(tmp_path, rows, classes=("smile", "none")).targets == ("smile", "none")


def test_near_misses_are_told(tmp_path):
    assert misspellings(["johanna", "johana", "ben"]) == [("johanna", "johana")]
    assert misspellings(["subject1", "subject2", "Ann", "Anna", "person01"]) == []
    assert (
        "different people: 'johana' and 'johanna'."
        in read(tmp_path, rows_of("johanna", "johana", "ben")).split
    )


def test_ten_thousand_names_are_compared_in_a_moment():
    assert misspellings([f"person{n:05d}" for n in range(10_000)]) == []


SPLIT = [f"{fold}{label}.mp4,{label},{fold}" for fold in ("train", "val", "test") for label in "xy"]


def test_train_val_and_test_are_one_split(tmp_path):
    dataset = read(tmp_path, SPLIT, "path,label,fold")
    assert dataset.folds == {"test": Fold(("train",), ("test",), ("val",))}
    assert "one split: 2 clips 'train', 2 clips 'val', 2 clips 'test'" in dataset.split
    crossed = read(tmp_path, SPLIT, "path,label,fold", names_as_written=True)
    assert {*crossed.folds} == {"train", "val", "test"}


@pytest.mark.parametrize("kept", [("train", "val"), ("val", "test")])
def test_half_a_split_is_refused(tmp_path, kept):
    rows = [row for row in SPLIT if row.startswith(kept)]
    with pytest.raises(SvfapError, match="name 'train' and 'test'"):
        read(tmp_path, rows, "path,label,fold")


def test_a_split_and_a_number_are_refused(tmp_path):
    with pytest.raises(SvfapError, match=r"1, 2, 3, ... for cross-validation"):
        read(tmp_path, [*SPLIT, "z.mp4,x,1"], "path,label,fold")


@pytest.mark.parametrize(
    "name", ["face", "video", "start", "end", "start_frame", "end_frame", "windows", "label"]
)
def test_classes_that_predict_needs_as_columns_are_refused(tmp_path, name):
    rows = [f"{s}{label}.mp4,{label},{s}" for s in "ab" for label in (name, "smile")]
    with pytest.raises(SvfapError, match=f"have a column '{name}'; rename it"):
        read(tmp_path, rows)


def test_the_same_file_by_another_path_is_found(tmp_path):
    with pytest.raises(SvfapError, match="is in row 2 too"):
        read(tmp_path, [*rows_of("anna", "ben"), "b/../0x.mp4,x,ben"])
