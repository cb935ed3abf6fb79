"""The synthetic corpus: deterministic and varied, with distinct expressions and true landmarks."""

import os
from dataclasses import astuple
from itertools import combinations
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from svfap.datasets.dataset import Clip, Dataset
from svfap.datasets.demo import CLASSES, DEMO, DEMO_PRETRAIN, demo, demo_pretrain
from svfap.demo.expression import EXPRESSIONS, Action
from svfap.demo.filming import RenderedFrame
from svfap.demo.identity import identity
from svfap.demo.performance import perform
from svfap.demo.real_clips import astronaut, carphone
from svfap.demo.videos import frames, render_video, settings
from svfap.faces.detectors.yunet import YuNet

Image = NDArray[np.uint8]


@pytest.fixture(scope="module")
def filmed() -> dict[tuple[int, str], list[RenderedFrame]]:
    """Every expression of two subjects."""
    return {(who, name): list(frames(who, name)) for who in (5, 11) for name in EXPRESSIONS}


def _points(frame: RenderedFrame) -> NDArray[np.float64]:
    return np.asarray(astuple(frame.landmarks))


def _aligned(frame: RenderedFrame, side: int = 64) -> Image:
    """Return the face, upright and centred in a small grey picture."""
    points = _points(frame)
    eyes = points[1] - points[0]
    size = np.hypot(*eyes) * 3.4
    centre = points[[0, 1, 3, 4]].mean(axis=0)
    turn = np.degrees(np.arctan2(eyes[1], eyes[0]))
    matrix = cv2.getRotationMatrix2D((float(centre[0]), float(centre[1])), turn, side / size)
    matrix[:, 2] += side / 2 - centre
    grey = cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.warpAffine(grey, matrix, (side, side)), np.uint8)


def test_the_same_arguments_give_the_same_frames(
    filmed: dict[tuple[int, str], list[RenderedFrame]],
) -> None:
    again = list(frames(5, "fear"))
    assert len(again) == len(filmed[5, "fear"])
    for one, other in zip(again, filmed[5, "fear"], strict=True):
        np.testing.assert_array_equal(one.image, other.image)
        assert one.landmarks == other.landmarks


def test_takes_and_subjects_differ() -> None:
    assert identity(3) == identity(3) != identity(4)
    looks = {astuple(identity(number)) for number in range(100)}
    assert len(looks) == 100
    first, second = next(frames(3, "sad", 0)).image, next(frames(3, "sad", 1)).image
    assert first.shape != second.shape or (first != second).mean() > 0.5


def test_settings_vary_and_match_the_frames() -> None:
    drawn = [settings(number, "happy") for number in range(60)]
    for attribute in ("size", "fps", "crf", "preset", "pix_fmt"):
        assert len({getattr(chosen, attribute) for chosen in drawn}) > 2
    assert all(side % 2 == 0 for chosen in drawn for side in chosen.size)
    image = next(frames(7, "happy")).image
    assert image.shape == (*drawn[7].size[::-1], 3)
    assert image.dtype == np.uint8


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions_start_neutral_and_reach_their_apex(expression: str) -> None:
    target = np.asarray(astuple(EXPRESSIONS[expression]))
    for take in range(5):
        acted = [
            np.asarray(astuple(moment.action))
            for moment in perform(expression, 40, rng=np.random.default_rng(take))
        ]
        assert np.abs(acted[0]).max() < 0.3
        strength = [np.linalg.norm(action) for action in acted]
        if expression == "neutral":
            assert max(strength) < 0.6
        else:
            apex = acted[20]
            assert apex @ target / (np.linalg.norm(apex) * np.linalg.norm(target)) > 0.9
            assert np.linalg.norm(apex) > 0.6 * np.linalg.norm(target)


def test_expressions_differ_at_the_apex_in_64_pixels(
    filmed: dict[tuple[int, str], list[RenderedFrame]],
) -> None:
    """Somewhere on the face, two expressions differ by the contrast of the whole picture."""
    for who in (5, 11):
        apex = {}
        for name in EXPRESSIONS:
            take = filmed[who, name]
            pictures = [_aligned(frame).astype(float) for frame in take[len(take) // 2 - 1 :][:3]]
            picture = np.median(pictures, axis=0)
            apex[name] = (picture - picture.mean()) / picture.std()
        for one, other in combinations(EXPRESSIONS, 2):
            assert np.abs(apex[one] - apex[other])[20:56, 12:52].max() > 1, (one, other)


def test_landmarks_lie_where_a_detector_sees_them(
    filmed: dict[tuple[int, str], list[RenderedFrame]],
) -> None:
    detector = YuNet(min_score=0.6)
    errors = []
    for take in filmed.values():
        for frame in take[::6]:
            found = detector.detect(np.ascontiguousarray(frame.image[..., ::-1]))
            assert len(found) == 1
            errors.append((found[0].points - _points(frame)) / np.ptp(found[0].box[::2]))
    offsets = np.asarray(errors)
    assert np.linalg.norm(offsets, axis=-1).mean(axis=0).max() < 0.06
    assert np.abs(offsets.mean(axis=0)).max() < 0.03


def test_the_file_has_the_drawn_settings(tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    render_video(path, 2, "disgust", 1)
    chosen, expected = settings(2, "disgust", 1), list(frames(2, "disgust", 1))
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == chosen.size
        assert stream.average_rate == chosen.fps
        assert stream.pix_fmt == chosen.pix_fmt
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert 9 <= len(decoded) == len(expected) <= 11
    for image, frame in zip(decoded, expected, strict=True):
        assert np.abs(image.astype(int) - frame.image).mean() < 8


def test_classes_are_the_expressions_in_order() -> None:
    assert tuple(EXPRESSIONS) == CLASSES == DEMO.targets
    assert EXPRESSIONS["neutral"] == Action()
    assert "ynthetic" in DEMO.notice
    assert "carphone" in DEMO_PRETRAIN.notice
    assert "astronaut" in DEMO_PRETRAIN.notice
    assert len(DEMO.folds) == 3


def _fetched(dataset: Dataset, root: Path) -> list[Clip]:
    dataset.fetch(root)
    return list(dataset.clips(root))


def test_fetch_renders_only_what_is_missing(tmp_path: Path) -> None:
    dataset = demo_pretrain("toy", subjects=4)
    clips = _fetched(dataset, tmp_path)
    assert len(clips) == len({clip.key for clip in clips}) == 8 + 2
    assert {clip.path.suffix for clip in clips} == {".mp4"}
    assert sorted(tmp_path.rglob("*.*")) == sorted(clip.path for clip in clips)
    for clip in clips:
        os.utime(clip.path, (1, 1))
    lost = clips[4].path
    content = lost.read_bytes()
    lost.unlink()
    assert _fetched(dataset, tmp_path) == clips
    assert lost.read_bytes() == content
    renewed = [clip.path for clip in clips if clip.path.stat().st_mtime > 1]
    assert renewed == [lost]


def test_no_subject_is_in_two_parts_or_in_both_datasets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("svfap.datasets.demo._render_missing", lambda clips: None)
    labelled, unlabelled = _fetched(DEMO, tmp_path / "a"), _fetched(DEMO_PRETRAIN, tmp_path / "b")
    assert len(labelled) == 504
    assert len(unlabelled) == 300 * 2 + 2
    subjects = [{clip.subject for clip in labelled if clip.part == part} for part in DEMO.parts]
    subjects.append({clip.subject for clip in unlabelled})
    assert [len(group) for group in subjects] == [24, 24, 24, 302]
    for dataset in (DEMO, DEMO_PRETRAIN):
        tuning = dataset.variants["tuning"].clips(tmp_path / "t")
        subjects.append({clip.subject for clip in tuning if clip.part != "real"})
    assert len(set().union(*subjects)) == sum(len(group) for group in subjects)
    for part in DEMO.parts:
        targets = [clip.target for clip in labelled if clip.part == part]
        assert {targets.count((float(index),)) for index in range(7)} == {24}
    larger = {clip.key: clip.part for clip in demo(subjects_per_part=30).clips(tmp_path / "c")}
    assert {clip.key: clip.part for clip in labelled}.items() <= larger.items()


def test_real_footage_shows_faces(tmp_path: Path) -> None:
    detector = YuNet(min_score=0.6)
    carphone(tmp_path / "carphone.mp4")
    astronaut(tmp_path / "astronaut.mp4")
    for name, count, size in (("carphone", 120, (176, 144)), ("astronaut", 90, (320, 240))):
        with av.open(str(tmp_path / f"{name}.mp4")) as container:
            images = [
                np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
                for frame in container.decode(video=0)
            ]
        assert len(images) == count
        assert images[0].shape[1::-1] == size
        assert all(len(detector.detect(image)) == 1 for image in images[::15])


def test_unlabelled_clips_carry_no_target(tmp_path: Path) -> None:
    clips = _fetched(demo_pretrain("toy", subjects=0), tmp_path)
    assert [(clip.key, clip.part, clip.target) for clip in clips] == [
        ("carphone", "real", ()),
        ("astronaut", "real", ()),
    ]
    assert all(clip.path.is_file() for clip in clips)
