"""A camera; here a video file that OpenCV plays at its own frame rate through the same class."""

import time

import pytest
from helpers.photo_videos import face_frames, noise_frames, save
from helpers.random_checkpoints import CLASSES, write_checkpoint

import svfap
from svfap.errors import SvfapError
from svfap.use.camera import Camera, device_of
from svfap.use.live import score_camera


@pytest.fixture
def predictor(tmp_path, toy_model):
    return svfap.load(write_checkpoint(tmp_path / "m.pt", toy_model), hop=0.4)


def test_what_names_a_camera(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert device_of("0") == 0
    assert device_of("/dev/video3") == "/dev/video3"
    assert device_of("film.mp4") is None
    (tmp_path / "7").mkdir()
    assert device_of("7") is None


def test_a_face_is_scored_as_it_is_seen(tmp_path, predictor):
    video = save(tmp_path / "face.mp4", face_frames(75, step=0.3))
    began = time.monotonic()
    with Camera(str(video)) as camera:
        live = score_camera(camera, predictor)
    assert time.monotonic() - began > 2.5
    table = live.table
    frames = ["start_frame", "end_frame"]
    assert [*table] == ["video", "face", "start", "end", *frames, "label", *CLASSES]
    assert table[frames].isna().all(axis=None)  # a camera that drops frames has no numbers
    assert 2 <= len(table) <= 7
    assert (table["end"] - table["start"]).max() == pytest.approx(0.64, abs=0.2)
    assert len(live.latencies) == len(table)
    assert all(0 < latency < 2 for latency in live.latencies)
    assert "after the last frame of their window of 0.64 s" in live.latency_text()


def test_live_scores_are_near_those_of_the_file(tmp_path, predictor):
    """The same face, hardly moving: only smoothing and timing differ."""
    video = save(tmp_path / "face.mp4", face_frames(60, step=0.0))
    with Camera(str(video)) as camera:
        live = score_camera(camera, predictor).table
    filed = predictor.predict(video)
    difference = live[[*CLASSES]].mean() - filed[[*CLASSES]].mean()
    assert difference.abs().max() < 0.1


def test_scoring_ends_after_the_given_seconds(tmp_path, predictor):
    video = save(tmp_path / "face.mp4", face_frames(250, step=0.1))
    began = time.monotonic()
    with Camera(str(video)) as camera:
        score_camera(camera, predictor, seconds=1.0)
    assert time.monotonic() - began < 6


def test_without_a_face_nothing_is_scored(tmp_path, predictor):
    with Camera(str(save(tmp_path / "none.mp4", noise_frames(30)))) as camera:
        assert score_camera(camera, predictor).table.empty


def test_a_face_that_leaves_and_another_that_comes(tmp_path, predictor):
    frames = [*face_frames(40, step=0), *noise_frames(45), *face_frames(40, step=0)]
    with Camera(str(save(tmp_path / "gap.mp4", frames))) as camera:
        table = score_camera(camera, predictor).table
    assert {*table["face"]} == {1, 2}


def test_a_camera_that_gives_no_picture(tmp_path):
    (tmp_path / "text").write_text("no camera")
    with pytest.raises(SvfapError, match="gives no picture"):
        Camera(str(tmp_path / "text"))
