"""A file is replaced whole or not at all."""

import errno
import os
from pathlib import Path

import pytest

from svfap.errors import SvfapError
from svfap.replacing import link, link_files, replacing


@pytest.mark.parametrize("fsync", [False, True])
def test_the_old_content_stays_until_the_new_is_complete(tmp_path: Path, fsync: bool) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replacing(path, fsync=fsync) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert [*tmp_path.iterdir()] == [path]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def half() -> None:
        with replacing(path) as partial:
            partial.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert path.read_text() == "old"
    assert [*tmp_path.iterdir()] == [path]


def test_a_failure_before_anything_is_written_is_passed_on(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "a.txt"):
        raise ZeroDivisionError
    assert not [*tmp_path.iterdir()]


def test_a_relative_path_in_a_folder_that_is_left_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    with replacing(Path("a.txt")) as partial:
        partial.write_text("new")
        monkeypatch.chdir(tmp_path / "other")
    assert (tmp_path / "a.txt").read_text() == "new"


@pytest.mark.parametrize("name", ["ü" * 127, "x" * 255, os.fsdecode(b"\xff" * 255)])
def test_a_name_as_long_as_a_name_may_be(tmp_path: Path, name: str) -> None:
    with replacing(tmp_path / name) as partial:
        partial.write_text("new")
    assert (tmp_path / name).read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("code", [errno.EPERM, errno.EOPNOTSUPP])
def test_a_file_system_without_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(*names: object, **options: object) -> None:
        raise OSError(code, os.strerror(code))

    (tmp_path / "run.jsonl").touch()
    monkeypatch.setattr(os, "symlink", refuse)
    with pytest.raises(SvfapError, match="has no symbolic links; choose folders on another one"):
        link(tmp_path / "clips.jsonl", tmp_path / "run.jsonl")
    with pytest.raises(SvfapError, match="has no symbolic links"):
        link_files(tmp_path / "tars", [("a", tmp_path / "run.jsonl")])
