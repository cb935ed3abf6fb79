"""Planes of brightness and colour: the same colours as over RGB, whatever the file calls them."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.photo_videos import convert, face_frames, photograph, save, to_bgr

from svfap.faces.clips import FaceClip, cut_clips
from svfap.faces.cropped_video import Quality
from svfap.video.decode import read_frames
from svfap.video.planes import JpegPlanes, Picture

SIZE = 160


def clip_of(corners: list[list[float]], *, size: int = SIZE) -> FaceClip:
    """A clip of one square in the first frame, given in shares of the frame."""
    quality = Quality(*[0.0] * 10, cuts=0, people=0, missing=0.0)
    return FaceClip(25.0, size, 0.0, np.array([0]), np.array([corners]), quality)


def cut(path: Path, corners: list[list[float]], *, size: int = SIZE) -> Picture:
    ((_, picture),) = cut_clips(read_frames(path), [clip_of(corners, size=size)])
    return picture


TILTED = [[0.1, 0.2], [0.8, 0.1], [0.2, 0.9]]
WHOLE = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
COLOURS = {
    "not named": {},
    "BT.709": {"vf": "scale=out_color_matrix=bt709", "colorspace": "bt709"},
    "full range": {"vf": "scale=out_range=full", "color_range": "pc"},
    "BT.709, full range": {
        "vf": "scale=out_color_matrix=bt709:out_range=full",
        "colorspace": "bt709",
        "color_range": "pc",
    },
}


@pytest.mark.parametrize("corners", [TILTED, WHOLE], ids=["tilted", "whole"])
@pytest.mark.parametrize("name", COLOURS)
def test_planes_have_the_colours_of_the_picture(
    tmp_path: Path, name: str, corners: list[list[float]]
) -> None:
    lossless = {"vcodec": "libx264rgb", "qp": 0, "pix_fmt": "rgb24"}
    cv2.imwrite(str(tmp_path / "a.png"), cv2.resize(photograph(), (640, 360)))
    reference = convert(tmp_path / "a.png", tmp_path / "rgb.mkv", **lossless)
    write = {"vcodec": "libx264", "qp": 0, "pix_fmt": "yuv420p", **COLOURS[name]}
    path = convert(tmp_path / "a.png", tmp_path / "yuv.mkv", **write)
    expected, actual = cut(reference, corners), cut(path, corners)
    assert not isinstance(expected, JpegPlanes)
    assert isinstance(actual, JpegPlanes)
    error = to_bgr(actual).astype(int) - expected
    assert np.abs(error).mean() < 3
    assert np.abs(error.mean(axis=(0, 1))).max() < 1.5


@pytest.mark.parametrize(
    ("pix_fmt", "planes"),
    [("yuv420p", True), ("yuvj420p", True), ("yuv420p10le", False), ("yuva420p", False)],
)
def test_other_formats_are_cut_from_bgr(tmp_path: Path, pix_fmt: str, planes: bool) -> None:
    source = save(tmp_path / "a.mp4", face_frames(2))
    path = convert(source, tmp_path / "b.mkv", vcodec="ffv1", pix_fmt=pix_fmt)
    picture = cut(path, TILTED)
    assert isinstance(picture, JpegPlanes) == planes
    assert np.abs(to_bgr(picture).astype(int) - to_bgr(cut(source, TILTED))).mean() < 3


def test_odd_sizes_are_cut(tmp_path: Path) -> None:
    source = save(tmp_path / "a.mp4", face_frames(2))
    odd = convert(source, tmp_path / "b.mkv", vf="scale=239:237", vcodec="ffv1", pix_fmt="yuv420p")
    expected = to_bgr(cut(source, TILTED)).astype(int)
    assert np.abs(to_bgr(cut(odd, TILTED)) - expected).mean() < 4
    assert to_bgr(cut(source, TILTED, size=161)).shape == (161, 161, 3)


@pytest.mark.parametrize(("turn", "transposed"), [(90, 1), (-90, 2)])
def test_a_turned_video_is_cut_upright(tmp_path: Path, turn: int, transposed: int) -> None:
    source = save(tmp_path / "a.mp4", face_frames(2))
    sideways = convert(source, tmp_path / "b.mp4", vf=f"transpose={transposed}")
    turned = convert(sideways, tmp_path / "c.mp4", read={"display_rotation": turn}, c="copy")
    error = to_bgr(cut(turned, TILTED)).astype(int) - to_bgr(cut(source, TILTED))
    assert np.abs(error).mean() < 3
