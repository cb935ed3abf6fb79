"""The annotated video against its original: the same length, pictures and sound at their times.

The pictures flash in a corner and the sound clicks one second after the start, in files whose
pictures and sound start, end and are stored in many ways.
"""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest
from helpers.photo_videos import face_frames, save
from helpers.random_checkpoints import write_checkpoint

import svfap
from svfap.use.annotate import annotate
from svfap.video.decode import read_frames

FRAMES, FLASH = 60, 25
CLICK = "aevalsrc='0.9*sin(6283*t)*between(t,1,1.1)':s=48000:d={seconds}"
STEP = 0.04  # seconds by which pictures and sound may be out of step
COPY = ("-c:v", "copy")


@pytest.fixture(scope="module")
def flash(tmp_path_factory):
    """A face at 25 frames per second; a corner flashes one second after the start."""

    def frames():
        for number, frame in enumerate(face_frames(FRAMES, step=0.2)):
            if FLASH <= number < FLASH + 5:
                frame[-24:, -24:] = 255
            else:
                frame[-24:, -24:] = 0
            yield frame

    return save(tmp_path_factory.mktemp("flash") / "flash.mp4", frames())


@pytest.fixture
def predictor(tmp_path, toy_model):
    return svfap.load(write_checkpoint(tmp_path / "m.pt", toy_model), pad=True)


def mux(
    path: Path,
    pictures: Path,
    *write: str,
    picture: Sequence[str] = (),
    sound: Sequence[str] = (),
    seconds: float = 2.4,
) -> Path:
    """Write pictures with a click, with options of ffmpeg for reading either and for writing."""
    click = CLICK.format(seconds=seconds)
    inputs = [*picture, "-i", str(pictures), *sound, "-f", "lavfi", "-i", click]
    call = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-y", *inputs]
    subprocess.run([*call, *write, str(path)], check=True)
    return path


def annotated(predictor, video: Path) -> tuple[Path, float]:
    """Return the annotated video, and the length of the timeline's video."""
    (scores,) = predictor.score_videos({video.name: video})
    assert scores.footage, scores.reject
    path = video.with_name("annotated.mp4")
    annotate(scores.footage, scores.table, predictor.facts, path)
    assert scores.table["end"].max() < scores.footage.seconds + STEP
    return path, scores.footage.seconds


def bright(picture) -> bool:
    return picture[216:240, 216:240].mean() > 128


def flashes(path: Path) -> float:
    """Second at which the flash of an annotated video starts."""
    with av.open(str(path)) as container:
        frames = container.decode(video=0)
        return next(f.time for f in frames if bright(f.to_ndarray(format="gray")))


def clicks(path: Path) -> float:
    """Second at which the click starts."""
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            loud = np.abs(frame.to_ndarray()).max(axis=0) > 0.2
            if loud.any():
                return frame.time + loud.argmax() / frame.sample_rate
    raise AssertionError("no click")


def original_flash(path: Path) -> float:
    """Second after the first picture at which the flash of the original starts."""
    frames = [(frame.seconds, bright(frame.bgr())) for frame in read_frames(path)]
    return next(seconds for seconds, is_bright in frames if is_bright) - frames[0][0]


LATE_PICTURE = {"picture": ("-itsoffset", "0.7")}
LATE_SOUND = {"sound": ("-ss", "0.6", "-itsoffset", "0.6")}
BEFORE = ("-af", "adelay=700:all=1")  # silence before the late picture
SPARSE = "select='not(mod(n,7))+not(mod(n,11))+eq(n,25)'"  # uneven, 6 frames per second
VP8 = ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8")
EVERYDAY = {
    "plain.mp4": (COPY, {}),
    "late picture.mp4": ((*BEFORE, *COPY), LATE_PICTURE),
    "late sound.mkv": ((*COPY, "-c:a", "flac"), LATE_SOUND),
    "long sound.mp4": (COPY, {"seconds": 5}),
    "sparse.mkv": (("-vf", SPARSE, "-fps_mode", "vfr"), {}),
    "late picture.ts": ((*BEFORE, *COPY), LATE_PICTURE),
}
RARE = {
    "late.mp4": (COPY, {"picture": ("-itsoffset", "0.7"), "sound": ("-itsoffset", "0.7")}),
    "late sound.mp4": (COPY, LATE_SOUND),
    "short sound.mov": ((*COPY, "-c:a", "pcm_s16le"), {"seconds": 1.3}),
    "edit list.mp4": (COPY, {"picture": ("-ss", "0.3"), "sound": ("-ss", "0.3")}),
    "varying.mp4": (("-vf", "select='lt(n,20)+gt(n,24)*mod(n,2)'", "-fps_mode", "vfr"), {}),
    "gap in sound.mkv": (("-af", "aselect='not(between(t,0.3,0.6))'", *COPY), {}),
    "negative.mkv": (("-output_ts_offset", "-1", "-avoid_negative_ts", "disabled", *COPY), {}),
    "opus.webm": (VP8, {}),
    "late picture.webm": ((*BEFORE, *VP8), LATE_PICTURE),
    "mpeg4.avi": (("-c:v", "mpeg4"), {}),
    "flash.flv": (("-ar", "44100", *COPY), LATE_SOUND),
    "windows.wmv": ((), {}),
    "phone.3gp": (("-c:a", "aac", *COPY), {}),
    "theora.ogv": ((), {}),
    "stream.ts": (COPY, {}),
    "late sound.ts": (COPY, LATE_SOUND),
    "disc.vob": ((), {}),
    "late sound.mpg": ((), LATE_SOUND),
}
CASES = [
    *(pytest.param(name, *case, id=name) for name, case in EVERYDAY.items()),
    *(pytest.param(name, *case, id=name, marks=pytest.mark.slow) for name, case in RARE.items()),
]


@pytest.mark.parametrize(("name", "write", "read"), CASES)
def test_flash_and_click(tmp_path, predictor, flash, name, write, read):
    video = mux(tmp_path / name, flash, *write, **read)
    path, seconds = annotated(predictor, video)
    with av.open(str(path)) as container:
        assert container.duration / av.time_base == pytest.approx(seconds, abs=STEP)
    assert flashes(path) == pytest.approx(original_flash(video), abs=STEP)
    assert clicks(path) == pytest.approx(flashes(path), abs=STEP)
