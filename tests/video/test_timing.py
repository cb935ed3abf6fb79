"""Constant frame rates from any others."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.photo_videos import convert, face_frames, noise_frames, save

from svfap.video.decode import Reject, declared, read_frames
from svfap.video.timing import on_grid


def test_a_constant_rate_keeps_every_frame() -> None:
    times = [n / 25 for n in range(100)]
    timing = on_grid(times, fps=25)
    assert timing.fps == 25
    assert np.array_equal(timing.source, np.arange(100))


def test_rounded_time_stamps_are_constant_too() -> None:
    times = [round(n / 29.97, 3) for n in range(3000)]
    timing = on_grid(times, fps=30000 / 1001)
    assert np.array_equal(timing.source, np.arange(3000))


def test_a_wrong_declared_rate_is_corrected() -> None:
    timing = on_grid([n / 24 for n in range(240)], fps=30)
    assert timing.fps == pytest.approx(24)
    assert len(timing.source) == 240


def test_missing_times_are_counted_off() -> None:
    timing = on_grid([None] * 9, fps=25)
    assert np.array_equal(timing.source, np.arange(9))


def test_a_pause_is_filled_with_the_frame_before() -> None:
    times = [n / 25 for n in range(20) if not 8 <= n < 14]
    timing = on_grid(times, fps=25)
    assert timing.fps == 25
    assert [*timing.source] == [*range(8), *[7] * 6, *range(8, 14)]


@pytest.mark.parametrize(("target", "count"), [(25, 50), (50, 100), (12.5, 25), (30, 60)])
def test_a_target_rate_keeps_the_time(target: float, count: int) -> None:
    timing = on_grid([n / 50 for n in range(100)], fps=50, target=target)
    assert timing.fps == target
    assert len(timing.source) == count
    shown = timing.source / 50
    wanted = np.arange(count) / target
    assert ((wanted - shown >= -1e-9) & (wanted - shown < 1 / 50)).all()


def test_one_frame_is_enough() -> None:
    assert [*on_grid([0.0], fps=25).source] == [0]
    assert [*on_grid([7.0], fps=25, target=50).source] == [0, 0]


def test_a_variable_rate_file_plays_at_its_speed(tmp_path: Path) -> None:
    plain = save(tmp_path / "plain.mp4", face_frames(50), fps=50)
    path = convert(
        plain, tmp_path / "varying.mkv", vf="select='not(between(n,10,29))'", fps_mode="passthrough"
    )
    times = [frame.seconds for frame in read_frames(path)]
    timing = on_grid(times, fps=declared(path).fps)
    assert len(times) == 30
    assert timing.fps == 50
    assert len(timing.source) == 50


def test_an_interlaced_video_is_not_combed(tmp_path: Path) -> None:
    fields = list(face_frames(40, step=3))
    plain = save(tmp_path / "fields.mp4", fields, fps=50)
    path = convert(
        plain,
        tmp_path / "woven.mkv",
        vf="interlace=lowpass=0",
        vcodec="mpeg2video",
        flags="+ildct+ilme",
        qscale=2,
    )
    combed = cv2.imread(str(convert(path, tmp_path / "raw.png", vf="select=eq(n\\,10)", vframes=1)))
    frames = list(read_frames(path))
    assert len(frames) == 20
    assert combed is not None

    def error(image: object) -> float:
        return float(np.abs(np.asarray(image, dtype=int) - fields[20]).mean())

    assert error(frames[10].bgr()) < 0.6 * error(combed)


def test_the_declared_frames_of_a_truncated_file_are_known(tmp_path: Path) -> None:
    whole = save(tmp_path / "whole.mp4", noise_frames(60))
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    assert declared(whole).frames == declared(cut).frames == 60
    assert declared(tmp_path).frames == 0


def test_time_stamps_that_leap_do_not_fill_the_memory() -> None:
    with pytest.raises(Reject, match=r"^10 frames for 1000000000 s; its time stamps are wrong$"):
        on_grid([*range(9), 1e9], fps=1, target=25)
