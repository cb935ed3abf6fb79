"""The share of a video that does not decode, of whole and of damaged files."""

from pathlib import Path

import numpy as np
import pytest
from helpers.photo_videos import convert, face_frames, save

from svfap.faces.quality import missing_share
from svfap.video.decode import declared, read_frames


def missing(path: Path) -> float:
    times = [frame.seconds for frame in read_frames(path)]
    video = declared(path)
    return missing_share(times, declared=video.frames, fps=video.fps)


@pytest.fixture(scope="module")
def face(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("face") / "face.mp4", face_frames(50))


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov", ".avi", ".flv", ".ts", ".mpg", ".webm"])
def test_a_whole_file_with_longer_sound(tmp_path: Path, face: Path, suffix: str) -> None:
    import ffmpeg  # type: ignore[import-untyped]
    import imageio_ffmpeg  # type: ignore[import-untyped]

    path = tmp_path / f"long{suffix}"
    tone = ffmpeg.input("sine=frequency=440:duration=16", f="lavfi")
    video = {"vcodec": "libvpx", "deadline": "realtime"} if suffix == ".webm" else {}
    ffmpeg.output(ffmpeg.input(str(face)), tone, str(path), **video).run(
        cmd=imageio_ffmpeg.get_ffmpeg_exe(), quiet=True
    )
    assert missing(path) == pytest.approx(0, abs=0.04)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
@pytest.mark.parametrize("rate", [0.1, 1 / 3600])
def test_a_whole_file_of_a_very_low_rate(
    tmp_path: Path, face: Path, suffix: str, rate: float
) -> None:
    path = convert(face, tmp_path / f"slow{suffix}", vf=f"setpts=N/{rate}/TB", fps_mode="vfr")
    assert missing(path) == pytest.approx(0, abs=0.04)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
@pytest.mark.parametrize("share", [0.5, 0.8])
def test_a_file_cut_short(tmp_path: Path, face: Path, suffix: str, share: float) -> None:
    whole = convert(face, tmp_path / f"whole{suffix}", vcodec="mjpeg", movflags="+faststart")
    path = tmp_path / f"cut{suffix}"
    path.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * share)])
    decoded = len([*read_frames(path)])
    assert 5 < decoded < 45
    assert missing(path) == pytest.approx(1 - decoded / 50, abs=0.01)


def test_a_hole_in_the_middle() -> None:
    times = [*np.arange(50) / 25, *np.arange(100, 200) / 25]
    assert missing_share(times, declared=200, fps=25) == pytest.approx(0.25, abs=0.01)
    assert missing_share([None] * 150, declared=200, fps=25) == 0.25
    assert missing_share(times, declared=0, fps=25) == 0
