"""Which files of a folder are videos, and what is said about the others."""

import shutil

import cv2
import numpy as np
import pandas as pd
import pytest
from helpers.photo_videos import convert, face_frames, noise_frames, save
from helpers.random_checkpoints import write_checkpoint

import svfap
from svfap.__main__ import main
from svfap.errors import SvfapError
from svfap.use.find_videos import find_videos
from svfap.use.results import output_places


@pytest.fixture(scope="module")
def face(tmp_path_factory):
    return save(tmp_path_factory.mktemp("face") / "face.mp4", face_frames(40))


def frames_into(folder, suffix, count=30):
    folder.mkdir(parents=True)
    for number, frame in enumerate(face_frames(count)):
        cv2.imwrite(str(folder / f"{number + 1}{suffix}"), frame)
    return folder


CONTAINERS = {
    ".m4v": {},
    ".MTS": {"format": "mpegts"},
    ".WMV": {"format": "asf"},
    ".mpg": {},
    ".3gp": {"s": "176x144"},
    ".gif": {},
    ".vob": {},
    ".ogv": {"vcodec": "mjpeg", "format": "matroska"},
    ".Mp4": {},
    ".strange": {"format": "mp4"},
    "": {"format": "matroska"},
}


@pytest.mark.parametrize("suffix", CONTAINERS)
def test_whatever_decodes_is_scored(tmp_path, toy_model, face, suffix):
    folder = tmp_path / "videos"
    folder.mkdir()
    convert(face, folder / f"clip{suffix}", **CONTAINERS[suffix])
    (folder / "notes.txt").write_text("about the clips\n" * 100)
    model = write_checkpoint(tmp_path / "model.pt", toy_model)
    out = tmp_path / "out"
    call = ["predict", folder, "--checkpoint", model, "--output", out, "--no-video", "--pad"]
    assert main([*map(str, call)]) == 0
    assert {*pd.read_csv(out / "timeline.csv").video} == {f"clip{suffix}"}
    assert {*pd.read_csv(out / "rejects.csv").video} == {"notes.txt"}


def test_files_that_are_no_videos(tmp_path, face):
    shutil.copy(face, tmp_path / "clip.mp4")
    (tmp_path / "empty").touch()
    (tmp_path / "labels.csv").write_text("video,label\nclip.mp4,happy\n")
    (tmp_path / "table.json").write_text("{}")
    (tmp_path / "random.bin").write_bytes(np.random.default_rng(0).bytes(5000))
    (tmp_path / "gone.mp4").symlink_to(tmp_path / "nowhere.mp4")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / ".hidden.mp4").write_bytes(face.read_bytes())
    cv2.imwrite(str(tmp_path / "poster.jpg"), next(noise_frames(1)))
    found = find_videos(tmp_path)
    assert [*found.videos] == ["clip.mp4"]
    assert found.left_out.pop("random.bin")
    assert found.left_out == {
        "empty": "empty file (0 bytes)",
        "labels.csv": "not a video",
        "table.json": "not a video",
        "gone.mp4": "a link to a file that does not exist",
        "loop": "a link to a folder that it lies in",
        "poster.jpg": "a picture beside videos",
    }
    assert "and 3 more" in found.describe_left_out()


def test_several_sources(tmp_path, toy_model, face):
    for name in ("anna/a.mp4", "anna/b.mp4", "ben/a.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(face, tmp_path / name)
    (tmp_path / "ben" / "notes.txt").write_text("none")
    model, out = write_checkpoint(tmp_path / "model.pt", toy_model), tmp_path / "out"
    call = ["predict", "--checkpoint", model, "--output", out, "--no-video"]
    sources = [tmp_path / "anna" / "b.mp4", tmp_path / "anna", tmp_path / "ben"]
    assert main([*map(str, call), *map(str, sources)]) == 0
    assert {*pd.read_csv(out / "timeline.csv").video} == {"a.mp4", "a.mp4 (2)", "b.mp4"}
    assert [*pd.read_csv(out / "rejects.csv").path] == [str(tmp_path / "ben" / "notes.txt")]


@pytest.mark.parametrize("camera_first", [True, False])
def test_a_camera_is_scored_alone(tmp_path, face, capsys, camera_first):
    call = ["predict", "--checkpoint", "none.pt", "--output", tmp_path / "out"]
    call += ["0", face] if camera_first else [face, "0"]
    assert main([*map(str, call)]) == 2
    assert "a camera is scored alone" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", [".bmp", ".webp", ".tif", ".TIFF", ".png", ".JPG"])
def test_folders_of_frames(tmp_path, toy_model, suffix):
    frames_into(tmp_path / "videos" / "anna" / "1", suffix)
    frames_into(tmp_path / "videos" / "anna" / "2", suffix)
    predictor = svfap.load(write_checkpoint(tmp_path / "model.pt", toy_model))
    assert {*predictor.predict(tmp_path / "videos").video} == {"anna/1", "anna/2"}
    assert {*predictor.predict(tmp_path / "videos" / "anna" / "1").video} == {"1"}


def test_a_damaged_frame_leaves_the_others_at_their_times(tmp_path, toy_model):
    folder = frames_into(tmp_path / "frames", ".png", 60)
    predictor = svfap.load(write_checkpoint(tmp_path / "model.pt", toy_model))
    whole = predictor.predict(folder)
    for number in (1, 30, 31):
        (folder / f"{number}.png").write_bytes(b"")
    damaged = predictor.predict(folder)
    assert damaged["end"].iloc[-1] == pytest.approx(whole["end"].iloc[-1], abs=0.05)
    assert len(damaged) == len(whole)


def test_folders_reached_by_links_and_names_that_escapes_make_equal(tmp_path, face):
    store, videos = tmp_path / "store", tmp_path / "videos"
    (store / "session").mkdir(parents=True)
    shutil.copy(face, store / "session" / "a.mp4")
    videos.mkdir()
    (videos / "linked").symlink_to(store / "session")
    shutil.copy(face, videos / "b\n.mp4")
    shutil.copy(face, videos / "b\\n.mp4")
    assert [*find_videos(videos).videos] == ["b\\n.mp4", "b\\n.mp4 (2)", "linked/a.mp4"]


@pytest.mark.parametrize("source", ["", "  "])
def test_a_blank_name_is_not_the_working_directory(source):
    with pytest.raises(SvfapError, match="is blank"):
        find_videos(source)


def test_results_are_not_scored_again(tmp_path, toy_model, face):
    videos = tmp_path / "videos"
    videos.mkdir()
    shutil.copy(face, videos / "a.mp4")
    model = write_checkpoint(tmp_path / "model.pt", toy_model)
    call = ["predict", videos, "--checkpoint", model, "--output", videos / "out"]
    for flags in ((), ("--overwrite",)):
        assert main([*map(str, call), *flags]) == 0
        assert {*pd.read_csv(videos / "out" / "timeline.csv").video} == {"a.mp4"}
    assert find_videos(videos).left_out == {"out": "results of an earlier call"}
    assert find_videos(videos / "out").videos.keys() == {"a.mp4"}


def test_no_two_videos_share_a_place(tmp_path):
    names = ["a.mov", "a.mp4", "A.mp4", "a.mov.mp4", "b.avi", "c", "c.mp4/d.avi"]
    names += ["\u00e9.mp4", "e\u0301.mp4"]
    places = output_places(tmp_path, names)
    files = [f"{place}.mp4".casefold() for place in places.values()]
    assert len({*files}) == len(names)
    assert places["b.avi"] == tmp_path / "b"
    assert places["c"].name != "c"
