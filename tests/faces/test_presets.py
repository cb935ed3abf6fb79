"""Crops of every preset against the true landmarks of rendered faces."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.photo_videos import photograph, save, to_bgr
from helpers.synthetic_scenes import Take, filmed, true_track

from svfap.config import CropConfig
from svfap.faces import presets
from svfap.faces.clips import FaceClip, cut_clips
from svfap.faces.detectors.detector import Floats
from svfap.faces.detectors.make import make_detector
from svfap.faces.find_clips import find_clips
from svfap.video.decode import read_frames

TAKES = {
    "plain": Take(),
    "turned": Take(yaw=25),
    "tilted": Take(roll=25),
    "far": Take(face=0.22),
    "close": Take(face=0.8),
    "large": Take(size=(1280, 720), frames=25),
    "blurred": Take(blur=3),
    "slow": Take(fps=12),
    "fast": Take(fps=50),
}


def plan(path: Path, preset: str, **settings: object) -> FaceClip:
    config = CropConfig.model_validate({"preset": preset, **settings})
    (clip,) = find_clips(path, config, make_detector(config))
    return clip


def ideal(points: Floats, preset: str) -> Floats:
    """The squares that perfect landmarks give."""
    track = true_track(points)
    if preset == "openface":
        return presets.openface(track, track.frames, radius=0)
    return presets.auto(track, track.frames, margin=0.25, radius=0)


@pytest.mark.parametrize("preset", ["auto", "openface"])
@pytest.mark.parametrize("name", TAKES)
def test_the_square_lies_where_true_landmarks_put_it(
    tmp_path: Path, preset: str, name: str
) -> None:
    take = TAKES[name]
    path, points = filmed(tmp_path, take)
    clip = plan(path, preset)
    assert len(clip) == take.frames
    assert clip.quality.detection_rate == 1
    wanted = ideal(points, preset)
    sides = np.linalg.norm(wanted[:, 1] - wanted[:, 0], axis=1)
    errors = np.linalg.norm(clip.corners * take.size - wanted, axis=2) / sides[:, None]
    assert np.median(errors) < (0.15 if name == "turned" else 0.11)
    assert clip.quality.jitter < 1
    assert clip.quality.jitter <= clip.quality.raw_jitter


def test_openface_puts_the_mean_face_where_openface_does() -> None:
    """At 256 pixels: 0.7 / 112 of a side for each millimetre, the mean face in the middle."""
    eyes, mouth = [(-32.86, -38.53), (32.86, -38.53)], [(-28.86, 28.35), (28.86, 28.35)]
    mean = np.array([*eyes, (0, -8), *mouth])
    track = true_track((100 + 2 * mean)[None])
    (corners,) = presets.openface(track, [0], radius=0)
    side = np.linalg.norm(corners[1] - corners[0])
    assert side == pytest.approx(2 * 112 / 0.7, rel=1e-3)
    assert np.allclose(corners[0] + side / 2, [100, 100], atol=0.1)
    tilted = true_track((mean @ [[0.6, 0.8], [-0.8, 0.6]])[None])
    (corners,) = presets.openface(tilted, [0], radius=0)
    across = corners[1] - corners[0]
    assert np.allclose(across / np.linalg.norm(across), [0.6, 0.8], atol=1e-3)


def test_voxceleb2_takes_the_very_pixels(tmp_path: Path) -> None:
    scene = photograph()[:224, 100:324]
    path = save(tmp_path / "clip.mp4", [scene] * 9)
    clip = plan(path, "voxceleb2", quality=100)
    decoded = next(to_bgr(picture) for _, picture in cut_clips(read_frames(path), [clip]))
    assert decoded.shape == (160, 160, 3)
    assert np.abs(decoded.astype(int) - scene[0:160, 32:192]).mean() < 4
    assert np.allclose(clip.corners[:, 0] * 224, [32, 0])
    assert np.allclose(clip.corners[:, 1] * 224, [192, 0])
    assert np.allclose(clip.corners[:, 2] * 224, [32, 160])


def test_frames_are_taken_whole_whatever_their_sizes(tmp_path: Path) -> None:
    head = photograph()[20:220, 120:320]
    for number, size in enumerate([(200, 200), (200, 200), (150, 150), (120, 200)] * 3):
        image = cv2.resize(head, size)
        cv2.imwrite(str(tmp_path / f"{number}.png"), image)
    clip = plan(tmp_path, "frames", size=200)
    images = [to_bgr(picture) for _, picture in cut_clips(read_frames(tmp_path), [clip])]
    assert len(images) == 12
    assert np.array_equal(images[0], head)
    assert all(np.abs(image.astype(int) - head).mean() < 12 for image in images)
    assert clip.quality.detection_rate > 0


def test_presets_without_detection_need_no_face(tmp_path: Path) -> None:
    path = save(tmp_path / "wall.mp4", [np.full((224, 224, 3), 90, dtype=np.uint8)] * 30)
    for preset in ("voxceleb2", "frames"):
        clip = plan(path, preset)
        assert len(clip) == 30
        assert clip.quality.detection_rate == clip.quality.score == 0
