"""Lists of videos as other programs save them."""

from pathlib import Path

import pytest
from helpers.dataset_copies import xlsx

from svfap.datasets import listing
from svfap.errors import SvfapError

ROWS = [("path", "valence", "subject"), ("a b.mp4", "0.5", "jörg"), ("b.mp4", "-1.25", "ida")]


def saved(separator: str, *, comma: bool = False) -> str:
    rows = [[cell.replace(".", ",") if "mp4" not in cell else cell for cell in r] for r in ROWS]
    return "\r\n".join(map(separator.join, rows if comma else ROWS))


@pytest.mark.parametrize(
    "content",
    [
        saved(",").encode(),
        saved(", ").encode(),
        ("sep=,\r\n" + saved(",")).encode(),
        saved(";", comma=True).encode("utf-8-sig"),
        (saved(";", comma=True) + "\r\n;;\r\n;;").encode("utf-8-sig"),
        saved("\t", comma=True).encode("utf-16"),
        saved(",").replace("ida", ' "ida"').encode(),
    ],
)
def test_every_way_to_save_a_list_reads_the_same(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(content)
    assert [tuple(row.cells.values()) for row in listing.read(path)] == ROWS[1:]
    assert listing.read(path)[1].number("valence") == -1.25


def test_a_workbook_reads_the_same_and_counts_rows_as_excel(tmp_path: Path) -> None:
    path = tmp_path / "list.xlsx"
    xlsx(path, ROWS)
    rows = listing.read(path)
    assert [tuple(row.cells.values()) for row in rows] == ROWS[1:]
    assert [row.number_of_row for row in rows] == [2, 3]


def test_a_number_with_a_comma_is_no_number_where_commas_separate(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text('path,valence,subject\na.mp4,"0,5",ida\n')
    with pytest.raises(SvfapError, match=r"row 2: valence '0,5' is not a number; write it like"):
        listing.read(path)[0].number("valence")


def test_a_path_of_windows_finds_its_file(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a.mp4").touch()
    path = tmp_path / "list.csv"
    path.write_text("path\nclips\\a.mp4\n")
    assert listing.read(path)[0].source == str(tmp_path / "clips/a.mp4")


def test_a_list_without_header_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    path = tmp_path / "list.csv"
    path.write_text("a.mp4,happy,ida\nb.mp4,sad,jo\n")
    with pytest.raises(SvfapError, match="row 1 is a video; add a header row above"):
        listing.read(path)


def test_columns_of_other_names(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("file,label,Emotion\na.mp4,7,happy\n")
    named = {"path": "file", "label": "emotion", "subject": "path"}
    with pytest.raises(SvfapError, match="column 'emotion' is missing"):
        listing.read(path, named)
    (row,) = listing.read(path, named | {"label": "Emotion"})
    assert row.cells == {"path": "a.mp4", "": "7", "label": "happy", "subject": "a.mp4"}
