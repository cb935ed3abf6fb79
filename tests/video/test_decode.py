"""Decoding of good, odd and broken files."""

from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from helpers.photo_videos import Image, convert, face_frames, noise_frames, photograph, save

from svfap.errors import SvfapError
from svfap.video.decode import FOLDER_RATE, Reject, declared, read_frames
from svfap.video.facevideo import checksum, encode_jpeg, read_jpegs, write_face_video


def grey(level: int, *, side: int = 64) -> Image:
    return np.full((side, side, 3), level, dtype=np.uint8)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return save(tmp_path / "steps.mp4", [grey(10 * n) for n in range(20)])


def test_frames_come_complete_and_in_order(video: Path) -> None:
    levels = [float(frame.bgr().mean()) for frame in read_frames(video)]
    assert np.allclose(levels, np.arange(20) * 10, atol=3)
    assert declared(video).fps == 25


def test_a_fractional_frame_rate_is_kept(tmp_path: Path) -> None:
    path = save(tmp_path / "film.mp4", [grey(9)] * 10, fps=24000 / 1001)
    assert declared(path).fps == pytest.approx(24000 / 1001, rel=1e-6)


def test_channels_are_blue_green_red(tmp_path: Path) -> None:
    colour = np.full((64, 64, 3), (200, 60, 20), dtype=np.uint8)
    frame = next(read_frames(save(tmp_path / "blue.mp4", [colour] * 3)))
    assert np.allclose(frame.bgr(), colour, atol=8)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_in_the_file_is_undone_as_ffmpeg_does(tmp_path: Path, degrees: int) -> None:
    scene = photograph()[:200, 100:400]
    upright = save(tmp_path / "plain.mp4", [scene] * 3)
    turned = convert(upright, tmp_path / "turned.mp4", read={"display_rotation": degrees}, c="copy")
    assert next(read_frames(turned)).picture.rotation % 360 == degrees
    expected = cv2.imread(str(convert(turned, tmp_path / "first.png", vframes=1)))
    actual = next(read_frames(turned))
    assert expected is not None
    assert actual.size == expected.shape[1::-1]
    assert actual.bgr().shape == expected.shape
    assert np.abs(actual.bgr().astype(int) - expected).mean() < 3


def test_pixels_become_square(tmp_path: Path) -> None:
    narrow = save(tmp_path / "narrow.mp4", [grey(9)] * 3)
    wide = convert(narrow, tmp_path / "wide.mp4", vf="setsar=16/15")
    tall = convert(narrow, tmp_path / "tall.mp4", vf="setsar=1/2")
    assert next(read_frames(wide)).bgr().shape == (64, 68, 3)
    assert next(read_frames(tall)).bgr().shape == (128, 64, 3)


@pytest.mark.parametrize("pix_fmt", ["gray", "yuv420p10le", "yuv444p", "yuv420p"])
def test_any_pixel_format_and_odd_sides(tmp_path: Path, pix_fmt: str) -> None:
    source = save(tmp_path / "source.mp4", [photograph()[:128, :128]] * 3)
    path = tmp_path / "odd.mkv"
    convert(source, path, vf="crop=65:47:0:0:exact=1", pix_fmt=pix_fmt, vcodec="ffv1")
    odd = next(read_frames(path)).bgr()
    reference = photograph()[:47, :65]
    if pix_fmt == "gray":
        assert np.ptp(odd, axis=2).max() <= 1
        assert np.abs(odd.mean(axis=2) - cv2.cvtColor(reference, cv2.COLOR_BGR2GRAY)).mean() < 6
    else:
        assert odd.shape == reference.shape
        assert np.abs(odd.astype(int) - reference).mean() < 6


def test_shrinking_keeps_the_proportions(tmp_path: Path) -> None:
    path = save(tmp_path / "wide.mp4", [photograph()[:256]] * 2)
    frame = next(read_frames(path))
    assert frame.bgr(128).shape == (64, 128, 3)
    assert frame.bgr(4000).shape == (256, 512, 3)
    reference = cv2.resize(photograph()[:256], (128, 64), interpolation=cv2.INTER_AREA)
    assert np.abs(frame.bgr(128).astype(int) - reference).mean() < 5


def _missing(path: Path) -> None:
    del path


def _empty(path: Path) -> None:
    path.touch()


def _folder(path: Path) -> None:
    path.mkdir()


def _folder_of_text(path: Path) -> None:
    path.mkdir()
    (path / "1.jpg").write_text("not a picture")


def _text(path: Path) -> None:
    path.write_text("This is not a video.\n" * 100)


def _without_index(path: Path) -> None:
    whole = convert(
        save(path.with_name("whole.mp4"), face_frames(10)), path.with_name("late.mp4"), c="copy"
    )
    path.write_bytes(whole.read_bytes()[:-2000])


def _sound(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 1024), dtype=np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate = 16000
        container.mux([*stream.encode(frame), *stream.encode()])


def _unknown_codec(path: Path) -> None:
    jpeg = encode_jpeg(grey(9), quality=90)
    write_face_video(path, [jpeg] * 9, fps=25, size=64)
    path.write_bytes(path.read_bytes().replace(b"V_MJPEG", b"V_NOSUC"))


def _garbage(path: Path) -> None:
    write_face_video(path, [b"garbage" * 50] * 9, fps=25, size=64)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_missing, r"^no such file$"),
        (_empty, r"^empty file \(0 bytes\)$"),
        (_folder, r"^no picture in its folder$"),
        (_folder_of_text, r"^none of its 1 frames can be decoded, such as 1\.jpg$"),
        (_text, r"^not a readable video \(Invalid data found when processing input\)$"),
        (_without_index, r"^not a readable video \(Invalid data found when processing input\)$"),
        (_sound, r"^no video stream \(audio only\?\)$"),
        (_unknown_codec, r"^its video codec is not known to FFmpeg$"),
        (_garbage, r"^cannot be decoded \(Invalid data found when processing input\)$"),
    ],
)
def test_an_unusable_file_is_rejected_with_its_reason(
    tmp_path: Path, make: Callable[[Path], None], reason: str
) -> None:
    path = tmp_path / "bad.mp4"
    make(path)
    with pytest.raises(Reject, match=reason):
        list(read_frames(path))


def test_frames_before_and_after_damage_are_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    jpegs = [encode_jpeg(grey(10 * n), quality=90) for n in range(20)]
    jpegs[12] = b"garbage" * 50
    path = tmp_path / "damaged.mkv"
    write_face_video(path, jpegs, fps=25, size=64)
    times = [frame.seconds for frame in read_frames(path)]
    assert np.allclose(times, [n / 25 for n in range(20) if n != 12], atol=0.001)
    assert "damaged after frame 12" in caplog.text
    assert "1 packets are left out" in caplog.text


def test_a_truncated_video_gives_its_first_frames(tmp_path: Path) -> None:
    whole = save(tmp_path / "whole.mp4", noise_frames(60))
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    frames = [frame.bgr() for frame in read_frames(cut)]
    assert 20 <= len(frames) < 60
    reference = next(read_frames(whole)).bgr()
    assert np.array_equal(frames[0], reference)


def test_a_folder_of_frames_is_a_video_in_natural_order(tmp_path: Path) -> None:
    folder = tmp_path / "00012"
    folder.mkdir()
    for number in (1, 2, 9, 10, 11):
        suffix = ".png" if number == 9 else ".JPG" if number == 2 else ".jpg"
        cv2.imwrite(str(folder / f"frame{number}{suffix}"), grey(10 * number))
    (folder / "Thumbs.db").write_bytes(b"x")
    (folder / "._frame3.jpg").write_bytes(b"x")
    levels = [float(frame.bgr().mean()) for frame in read_frames(folder)]
    assert np.allclose(levels, [10, 20, 90, 100, 110], atol=2)
    assert declared(folder).fps == FOLDER_RATE
    assert next(read_frames(folder)).bgr(32).shape == (32, 32, 3)


def test_a_folder_of_frames_goes_on_after_a_damaged_frame(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(5):
        (tmp_path / f"{number}.jpg").write_bytes(encode_jpeg(grey(9), quality=90))
    (tmp_path / "3.jpg").write_bytes(b"garbage")
    times = [frame.seconds for frame in read_frames(tmp_path)]
    assert times == [0, 1 / FOLDER_RATE, 2 / FOLDER_RATE, 4 / FOLDER_RATE]
    assert "1 of 5 frames cannot be decoded, such as 3.jpg" in caplog.text


def test_a_bug_of_the_caller_does_not_count_as_a_bad_file(video: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        next(1 // 0 for _ in read_frames(video))


def test_face_clips_return_the_very_jpegs(tmp_path: Path) -> None:
    jpegs = [encode_jpeg(frame, quality=92) for frame in face_frames(30)]
    for fps in (25.0, 30000 / 1001, 7.5):
        path = tmp_path / f"{fps:.3f}.mkv"
        assert write_face_video(path, iter(jpegs), fps=fps, size=240) == 30
        assert read_jpegs(path) == jpegs
        assert declared(path).fps == pytest.approx(fps, rel=1e-3)


def test_the_same_frames_give_the_same_file(tmp_path: Path) -> None:
    jpegs = [encode_jpeg(frame, quality=92) for frame in face_frames(5)]
    one, two = tmp_path / "one.mkv", tmp_path / "two.mkv"
    for path in (one, two):
        write_face_video(path, jpegs, fps=25, size=240)
    assert one.read_bytes() == two.read_bytes()


def test_any_player_shows_a_face_clip(tmp_path: Path) -> None:
    scene = list(face_frames(6))
    path = tmp_path / "clip.mkv"
    write_face_video(path, [encode_jpeg(i, quality=95) for i in scene], fps=25, size=240)
    shown = [frame.bgr() for frame in read_frames(path)]
    assert len(shown) == 6
    assert max(np.abs(a.astype(int) - b).mean() for a, b in zip(shown, scene, strict=True)) < 4


def test_jpeg_quality_and_chroma() -> None:
    image = photograph()[:160, 140:300]
    sizes = [len(encode_jpeg(image, quality=quality)) for quality in (40, 70, 92)]
    assert sizes == sorted(sizes)
    data = np.frombuffer(encode_jpeg(image, quality=92), dtype=np.uint8)
    start = data.tobytes().index(b"\xff\xc0")
    assert data[start + 11] == 0x22  # luma sampled 2 x 2: 4:2:0


def test_a_face_clip_with_one_wrong_bit_is_refused(tmp_path: Path) -> None:
    path, jpegs = tmp_path / "a.mkv", [encode_jpeg(np.full((16, 16, 3), 90, np.uint8), quality=90)]
    write_face_video(path, jpegs, fps=25, size=16)
    content = bytearray(path.read_bytes())
    right = checksum(content)
    assert read_jpegs(path, right) == jpegs
    content[content.index(jpegs[0]) + len(jpegs[0]) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(SvfapError, match="changed since it was cropped"):
        read_jpegs(path, right)
