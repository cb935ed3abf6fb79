"""A raw video that was replaced since it was cropped gives its part another token."""

import os

import pytest

from svfap.datasets.raw_state import RawState, file_state, present_token, token_of_cuts


@pytest.fixture
def videos(tmp_path):
    paths = [tmp_path / f"{name}.mp4" for name in "ab"]
    for path in paths:
        path.write_bytes(b"video")
        os.utime(path, ns=(10**18, 10**18))
    return paths


def recorded(folder, videos, token="date:", *, cut=False):
    RawState.of(videos, token, cut=cut).write(folder / "raw.json")
    return folder / "raw.json"


def test_before_the_first_crop_the_token_is_empty(tmp_path):
    assert present_token(tmp_path / "raw.json", "date") == "date:"


def test_an_unchanged_part_keeps_its_token(tmp_path, videos):
    for token in ("date:", "date:abc"):
        assert present_token(recorded(tmp_path, videos, token), "date") == token


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_bytes(b"another"),
        lambda path: path.unlink(),
        lambda path: os.utime(path, (0, 0)),
    ],
)
def test_a_changed_video_changes_the_token_until_it_is_cropped(tmp_path, videos, change):
    record = recorded(tmp_path, videos)
    change(videos[1])
    token = present_token(record, "date")
    assert token not in ("date:", "")
    assert present_token(record, "date") == token
    recorded(tmp_path, videos, token)
    assert present_token(record, "date") == token
    videos[1].write_bytes(b"once more")
    assert present_token(record, "date") != token


def test_by_content_a_new_date_changes_nothing(tmp_path, videos):
    record = recorded(tmp_path, videos, "content:")
    os.utime(videos[0], (0, 0))
    assert present_token(record, "content") == "content:"
    videos[0].write_bytes(b"olive")
    assert present_token(record, "content") != "content:"


def test_frames_of_a_folder_are_compared(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    (folder / "1.jpg").write_bytes(b"x")
    for token, way in (("date:", "date"), ("content:", "content")):
        record = recorded(tmp_path, [folder], token)
        assert present_token(record, way) == token
        (folder / "1.jpg").write_bytes(token.encode())
        assert present_token(record, way) != token


def test_only_videos_that_clips_are_cut_from_reach_the_download(tmp_path, videos):
    record = recorded(tmp_path, videos)
    videos[0].write_bytes(b"another")
    assert token_of_cuts([record], "date") == ""
    record = recorded(tmp_path, videos, cut=True)
    assert token_of_cuts([record], "date") == ""
    videos[0].write_bytes(b"and another")
    assert token_of_cuts([record], "date") != ""


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"files": 1}', '{"files": {}}'])
def test_a_damaged_record_is_no_record(tmp_path, text):
    (tmp_path / "raw.json").write_text(text)
    assert present_token(tmp_path / "raw.json", "date") == "date:"


def test_a_missing_video_has_no_state(tmp_path):
    assert file_state(tmp_path / "none.mp4") == ()


def test_never_keeps_the_token_of_deleted_videos(tmp_path, videos):
    record = recorded(tmp_path, videos, "date:abc")
    videos[0].unlink()
    assert present_token(record, "never") == "date:abc"
    assert present_token(record, "date") != "date:abc"
    assert RawState.read(record).gone() == [str(videos[0])]
