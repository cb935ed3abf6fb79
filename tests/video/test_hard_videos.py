"""Odd and broken videos, each with its expected outcome."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.photo_videos import Image, convert, face_frames, noise_frames, photograph, save, to_bgr

from svfap.config import CropConfig
from svfap.faces.clips import FaceClip, cut_clips
from svfap.faces.detectors.detector import Floats
from svfap.faces.detectors.make import make_detector
from svfap.faces.find_clips import find_clips
from svfap.video.decode import Reject, read_frames
from svfap.video.facevideo import encode_jpeg


def plan(path: Path, **settings: object) -> FaceClip:
    config = CropConfig.model_validate({"preset": "auto", **settings})
    (clip,) = find_clips(path, config, make_detector(config))
    return clip


def pictures(path: Path, clip: FaceClip) -> list[Image]:
    return [to_bgr(picture) for _, picture in cut_clips(read_frames(path), [clip])]


def face(clip: FaceClip, width: int, height: int) -> Floats:
    """Centre and side of the first square in pixels."""
    corners = clip.corners[0] * [width, height]
    centre = (corners[1] + corners[2]) / 2
    return np.array([*centre, np.linalg.norm(corners[1] - corners[0])])


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    return save(tmp_path / "plain.mp4", face_frames(40, step=0.5), fps=50)


@pytest.mark.parametrize(
    "options",
    [
        {"pix_fmt": "gray", "vcodec": "ffv1"},
        {"pix_fmt": "yuv420p10le", "vcodec": "ffv1"},
        {"pix_fmt": "yuv444p", "vcodec": "ffv1"},
        {"vf": "crop=239:237:0:0:exact=1", "pix_fmt": "yuv444p", "vcodec": "ffv1"},
        {"vcodec": "mjpeg", "qscale": 3, "pix_fmt": "yuvj420p"},
        {"vcodec": "libx264", "g": 250, "bf": 3},
    ],
    ids=["grey", "10 bit", "4:4:4", "odd sides", "full range", "B frames"],
)
def test_odd_formats_give_the_same_squares(
    tmp_path: Path, plain: Path, options: dict[str, object]
) -> None:
    path = convert(plain, tmp_path / "odd.mkv", **options)
    reference, odd = plan(plain), plan(path)
    size = (239, 237) if "vf" in options else (240, 240)
    assert len(odd) == 40
    assert np.allclose(face(odd, *size), face(reference, 240, 240), atol=4, rtol=0.08)
    assert len(pictures(path, odd)) == 40


def test_a_turned_phone_is_held_upright(tmp_path: Path, plain: Path) -> None:
    sideways = convert(plain, tmp_path / "sideways.mp4", vf="transpose=1")
    turned = convert(sideways, tmp_path / "turned.mp4", read={"display_rotation": 90}, c="copy")
    assert np.allclose(face(plan(turned), 240, 240), face(plan(plain), 240, 240), atol=6)


def test_a_target_rate_is_kept(plain: Path) -> None:
    clip = plan(plain, fps=25)
    assert clip.fps == 25
    assert [*clip.source] == [*range(0, 40, 2)]
    assert len(pictures(plain, clip)) == 20


def test_interlaced_footage_is_cropped(tmp_path: Path, plain: Path) -> None:
    path = convert(
        plain,
        tmp_path / "woven.mkv",
        vf="interlace=lowpass=0",
        vcodec="mpeg2video",
        flags="+ildct+ilme",
        qscale=2,
    )
    clip = plan(path)
    assert (clip.fps, len(clip)) == (25, 20)
    assert np.allclose(face(clip, 240, 240), face(plan(plain), 240, 240), atol=6)


def test_a_truncated_file_is_used_as_far_as_it_decodes_and_the_rest_counts_as_missing(
    tmp_path: Path,
) -> None:
    whole = save(tmp_path / "whole.mp4", face_frames(100, step=0.3))
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    clip = plan(cut)
    assert 20 < len(clip) < 100
    assert clip.quality.missing == pytest.approx(1 - len(clip) / 100, abs=0.01)
    assert plan(whole).quality.missing == 0


def test_a_wrong_extension_does_not_matter(tmp_path: Path, plain: Path) -> None:
    path = tmp_path / "clip.avi"
    path.write_bytes(plain.read_bytes())
    assert len(plan(path)) == 40


def test_eight_thousand_pixels_square(tmp_path: Path) -> None:
    image = cv2.resize(photograph()[:300, 60:360], (8000, 8000), interpolation=cv2.INTER_LINEAR)
    (tmp_path / "1.jpg").write_bytes(encode_jpeg(image, quality=80))
    clip = plan(tmp_path, min_frames=1)
    assert face(clip, 300, 300)[2] == pytest.approx(43.4 * 2.5 * 1.25, rel=0.12)
    (picture,) = pictures(tmp_path, clip)
    assert picture.shape == (160, 160, 3)


def test_one_frame(tmp_path: Path) -> None:
    path = save(tmp_path / "one.mp4", face_frames(1))
    with pytest.raises(Reject, match=r"^1 frames, at least 8 needed \(crop\.min_frames\)$"):
        plan(path)
    clip = plan(path, min_frames=1)
    assert len(pictures(path, clip)) == len(clip) == 1
    assert clip.quality.jitter == 0


def test_a_face_that_fills_the_frame_is_cropped_with_its_edges_repeated(tmp_path: Path) -> None:
    head = cv2.resize(photograph()[70:180, 170:280], (440, 440), interpolation=cv2.INTER_CUBIC)
    path = save(tmp_path / "close.mp4", [head] * 10)
    clip = plan(path)
    assert clip.corners.min() < 0
    assert len(pictures(path, clip)) == 10


def test_a_face_that_leaves_the_frame_ends_its_clip(tmp_path: Path) -> None:
    frames = [*face_frames(110, step=3)]
    path = save(tmp_path / "leaving.mp4", frames)
    clip = plan(path)
    assert 30 < len(clip) < 80
    assert clip.source[0] == 0


def test_frames_of_changing_proportions_are_refused(tmp_path: Path) -> None:
    for number, frame in enumerate(face_frames(10)):
        cv2.imwrite(str(tmp_path / f"{number}.png"), frame[: 240 if number < 5 else 180])
    with pytest.raises(Reject, match="change their proportions"):
        plan(tmp_path)


def test_no_face_at_all(tmp_path: Path) -> None:
    with pytest.raises(Reject, match=r"^no face found$"):
        plan(save(tmp_path / "noise.mp4", noise_frames(12)))


def test_a_small_file_of_huge_frames_is_refused_unread(tmp_path: Path) -> None:
    path = convert(
        save(tmp_path / "small.mp4", noise_frames(1)),
        tmp_path / "huge.mkv",
        vf="scale=16000:16000",
        vcodec="mjpeg",
        pix_fmt="yuvj420p",
        qscale=31,
    )
    with pytest.raises(Reject, match=r"^frames of 16000 x 16000 pixels, at most 100,000,000"):
        plan(path)
