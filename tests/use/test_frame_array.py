"""Frames in memory are scored like files, and wrong ones are one clear error."""

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from helpers.photo_videos import face_frames, noise_frames, save
from helpers.random_checkpoints import write_checkpoint

import svfap
from svfap.errors import SvfapError


@pytest.fixture(scope="module")
def frames():
    """40 frames (T, H, W, 3), RGB, of a photographed face."""
    return np.stack([frame[..., ::-1] for frame in face_frames(40)])


@pytest.fixture
def model(tmp_path, toy_model):
    return svfap.load(write_checkpoint(tmp_path / "model.pt", toy_model))


def without_name(table):
    return table.drop(columns="video")


def test_an_array_scores_as_the_same_pictures_in_a_folder(tmp_path, model, frames):
    for number, frame in enumerate(frames):
        cv2.imwrite(str(tmp_path / f"{number}.png"), frame[..., ::-1])
    table = model.predict(frames, fps=25)
    pd.testing.assert_frame_equal(without_name(table), without_name(model.predict(tmp_path)))
    assert {*table["video"]} == {"frames"}
    np.testing.assert_array_equal(model.features(frames, fps=25), model.features(tmp_path))


@pytest.mark.parametrize(
    "kind",
    [
        torch.from_numpy,
        np.asfortranarray,
        lambda frames: frames[:, ::-1][:, ::-1],
        lambda frames: torch.from_numpy(frames).permute(0, 3, 1, 2).permute(0, 2, 3, 1),
    ],
)
def test_other_kinds_of_arrays_score_equally(model, frames, kind):
    pd.testing.assert_frame_equal(
        model.predict(kind(frames), fps=25), model.predict(frames, fps=25)
    )


def test_the_rate_sets_the_times(model, frames):
    slow = model.predict(frames, fps=12.5)
    assert slow["end"].max() == pytest.approx(3.2)
    assert slow["end_frame"].max() == 40
    assert model.predict(frames, fps=30000 / 1001)["end"].max() == pytest.approx(1.335)


def test_paths_and_arrays_in_one_list(tmp_path, model, frames):
    path = save(tmp_path / "face.mp4", face_frames(40))
    table = model.predict([str(path), frames, path, frames[:20]], fps=25)
    names = ["face.mp4", "frames", "face.mp4 (2)", "frames (2)"]
    assert [*table["video"].unique()] == names
    series = pd.Series([str(path), str(path)])
    assert [*model.predict(series)["video"].unique()] == names[::2]
    assert [*model.predict(np.array([str(path)]))["video"].unique()] == names[:1]


def test_frames_without_a_face_are_left_out_or_the_error(model, frames, caplog):
    noise = np.stack([*noise_frames(20)])
    with pytest.raises(SvfapError, match=r"^frames: no face found"):
        model.predict(noise, fps=25)
    assert {*model.predict([noise, frames], fps=25)["video"]} == {"frames (2)"}
    assert "frames left out: no face found" in caplog.text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f[0], r"shape \(240, 240, 3\); give \(T, H, W, 3\).*np.stack"),
        (lambda f: f[..., 0], r"shape \(40, 240, 240\); give \(T, H, W, 3\)"),
        (lambda f: f[..., :1], r"shape \(40, 240, 240, 1\); give"),
        (lambda f: f.transpose(0, 3, 1, 2), "move the axis of colours to the end"),
        (lambda f: torch.from_numpy(f).permute(3, 0, 1, 2), "move the axis of colours to the end"),
        (lambda f: f[None], r"shape \(1, 40, 240, 240, 3\)"),
        (lambda f: f[:0], "which is empty"),
        (lambda f: f[:, :0], "which is empty"),
        (lambda f: f / np.float32(255), "type float32; give uint8"),
        (lambda f: f.astype(np.int64), "type int64; give uint8"),
        (lambda f: f > 100, "type bool; give uint8"),
        (lambda f: torch.from_numpy(f).float(), r"type torch.float32; give uint8"),
        (lambda f: (f / 255).astype(np.uint8), "no value above 1"),
        (lambda f: [f, [*f]], "item 2 of the list is .*, which is no video"),
        (lambda f: [*f], r"shape \(240, 240, 3\)"),
    ],
)
def test_wrong_frames_are_named(model, frames, change, message):
    with pytest.raises(SvfapError, match=message):
        model.predict(change(frames), fps=25)


@pytest.mark.parametrize("fps", [0, -25, float("nan"), float("inf"), "25", True, 1e9, 1e-9, [25]])
def test_wrong_rates_are_named(model, frames, fps):
    with pytest.raises(SvfapError, match=r"^fps is .*; take frames per second"):
        model.predict(frames, fps=fps)


def test_a_missing_and_a_superfluous_rate(tmp_path, model, frames):
    with pytest.raises(SvfapError, match="give fps=, frames per second"):
        model.features(frames)
    path = save(tmp_path / "face.mp4", face_frames(20))
    with pytest.raises(SvfapError, match="fps is for arrays of frames; leave it out"):
        model.predict(path, fps=25)


def test_an_array_is_annotated(tmp_path, model, frames):
    out = model.annotate(frames, tmp_path / "new" / "drawn.mp4", fps=25)
    assert out.stat().st_size > 1000
