"""Sound of every kind: it is added, or the pictures stay silent with a warning."""

import os
import random
import subprocess
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest

from svfap.video.encode import write_video
from svfap.video.sound import add_sound

SECONDS, RATE = 2.0, 48000
SILENT = "its annotated video is silent"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    path = tmp_path / "pictures.mp4"
    write_video(path, [np.zeros((32, 32, 3), np.uint8)] * 50, fps=25)
    return path


def with_sounds(path: Path, pictures: Path, *write: str, channels: tuple[int, ...] = (1,)) -> Path:
    """Write pictures with a track of noise for each number of channels."""
    call = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-i", str(pictures)]
    for count in channels:
        noise = path.with_name(f"{count}.pcm")
        noise.write_bytes(random.Random(0).randbytes(int(SECONDS * RATE) * 2 * count))
        call += ["-f", "s16le", "-ar", str(RATE), "-ac", str(count), "-i", str(noise)]
    maps = [word for number in range(len(channels) + 1) for word in ("-map", str(number))]
    subprocess.run([*call, *maps, "-c:v", "copy", *write, str(path)], check=True)
    return path


def with_damaged_sound(path: Path, source: Path, *, share: float) -> Path:
    """Copy a video; a share of its packets of sound is noise."""
    draw = random.Random(0)
    with av.open(str(source)) as read, av.open(str(path), "w") as write:
        streams = {stream.index: write.add_stream_from_template(stream) for stream in read.streams}
        for packet in read.demux():
            if not packet.size:
                continue
            noisy = packet.stream.type == "audio" and draw.random() < share
            copy = av.Packet(draw.randbytes(packet.size) if noisy else bytes(packet))
            copy.pts, copy.dts, copy.time_base = packet.pts, packet.dts, packet.time_base
            copy.is_keyframe, copy.stream = packet.is_keyframe, streams[packet.stream.index]
            write.mux(copy)
    return path


def channels_and_seconds(path: Path) -> tuple[int, float]:
    """Channels of the sound of a file, and its length; zeros if it has none."""
    with av.open(str(path)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 50
        if not container.streams.audio:
            return 0, 0.0
        sound = container.streams.audio[0]
        container.seek(0)
        frames = [*container.decode(sound)]
        end = frames[-1].time + frames[-1].samples / frames[-1].sample_rate
        return sound.channels, end


@pytest.mark.parametrize(("channels", "heard"), [(1, 1), (2, 2), (6, 2), (16, 2), (17, 1), (33, 1)])
def test_any_number_of_channels(
    tmp_path: Path, pictures: Path, channels: int, heard: int, caplog: pytest.LogCaptureFixture
) -> None:
    codec = ("-c:a", "pcm_s16le")
    video = with_sounds(tmp_path / "loud.mov", pictures, *codec, channels=(channels,))
    add_sound(pictures, video, start=0, seconds=SECONDS)
    assert channels_and_seconds(pictures) == (heard, pytest.approx(SECONDS, abs=0.03))
    assert not caplog.text


def unknown_codec(video: Path) -> Path:
    """Rename the codec of the first sound track, and its description, so that nobody knows it."""
    data = video.read_bytes()
    assert data.count(b"esds")
    video.write_bytes(data.replace(b"mp4a", b"xyzw", 1).replace(b"esds", b"xyzw", 1))
    return video


def test_a_track_of_unknown_codec_is_passed_over(
    tmp_path: Path, pictures: Path, caplog: pytest.LogCaptureFixture
) -> None:
    video = unknown_codec(with_sounds(tmp_path / "two.mp4", pictures, channels=(1, 2)))
    add_sound(pictures, video, start=0, seconds=SECONDS)
    assert channels_and_seconds(pictures)[0] == 2
    assert not caplog.text


@pytest.mark.parametrize("kind", ["unknown", "damaged", "before the pictures", "after them"])
def test_sound_that_cannot_be_heard(
    tmp_path: Path, pictures: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    video = with_sounds(tmp_path / "loud.mp4", pictures)
    if kind == "unknown":
        unknown_codec(video)
    if kind == "damaged":
        video = with_damaged_sound(tmp_path / "damaged.mp4", video, share=1)
    start = {"before the pictures": 9.0, "after them": -9.0}.get(kind, 0.0)
    before = pictures.read_bytes()
    add_sound(pictures, video, start=start, seconds=SECONDS)
    assert pictures.read_bytes() == before
    assert SILENT in caplog.text
    assert len(caplog.messages) == 1
    assert not [*tmp_path.glob("*.part")]


def test_what_is_left_of_damaged_sound_stays_in_its_place(tmp_path: Path, pictures: Path) -> None:
    video = with_sounds(tmp_path / "loud.mp4", pictures)
    add_sound(
        pictures,
        with_damaged_sound(tmp_path / "damaged.mp4", video, share=0.8),
        start=0,
        seconds=SECONDS,
    )
    assert channels_and_seconds(pictures) == (1, pytest.approx(SECONDS, abs=0.15))


def test_a_video_without_sound(
    tmp_path: Path, pictures: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = pictures.read_bytes()
    video = tmp_path / "silent.mp4"
    video.write_bytes(before)
    add_sound(pictures, video, start=0, seconds=SECONDS)
    assert pictures.read_bytes() == before
    assert not caplog.text


@pytest.mark.parametrize("name", [b"bad\xff.mov", b"-y.mov", b"PICTURES", b"%d\n'$(id).mov"])
def test_names_of_every_kind(
    tmp_path: Path, pictures: Path, name: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    video = Path(os.fsdecode(name))
    with_sounds(tmp_path / "loud.mov", pictures).rename(video)
    pictures = pictures.rename(Path(os.fsdecode(b"new" + name)))
    add_sound(pictures, video, start=0, seconds=SECONDS)
    assert channels_and_seconds(pictures)[0] == 1
