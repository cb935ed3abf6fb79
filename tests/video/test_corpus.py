"""Every kind of video is read as ffmpeg reads it: frames, times and pictures."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.ffmpeg_reference import read_by_ffmpeg
from helpers.photo_videos import Image, to_bgr
from helpers.video_corpus import RECIPES, Corpus, Recipe

from svfap.config import CropConfig
from svfap.faces.crop_videos import VideoToCrop, crop_videos
from svfap.video.decode import Reject, read_frames
from svfap.video.encode import cut
from svfap.video.planes import in_jpeg_colours

_MOST_MISSING = 0.02  # share of the frames
_HALF_FRAME = 0.5
_GREY_LEVELS = 5.0  # mean difference of two pictures at half size
# The decoder, without the key, leaves parts of these pictures as the memory happened to be.
_UNDEFINED = {"encrypted.mp4"}
# Differences from ffmpeg that are meant, or that PyAV's older FFmpeg leaves no choice in.
_REJECTED = {
    "sound.mp3": "no video stream",  # ffmpeg makes a video of the cover
    "sound_cover.mp4": "no video stream",  # ffmpeg makes a video of the cover
    "webp.webp": "cannot be decoded",  # FFmpeg 8 does not decode moving WebP, ffmpeg 9 does
}


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return Corpus(tmp_path_factory.mktemp("corpus"))


def half(image: Image, size: tuple[int, int]) -> Image:
    width, height = size
    small = cv2.resize(image, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.uint8)


def difference(ours: Image, theirs: Image) -> float:
    """Mean difference in grey levels; ours has square pixels, which the other may not have."""
    size = theirs.shape[1], theirs.shape[0]
    return float(np.abs(half(ours, size).astype(int) - half(theirs, size)).mean())


def check(path: Path) -> None:
    """Compare our frames of a video with ffmpeg's."""
    reference = read_by_ffmpeg(path)
    if not reference.times or path.name in _REJECTED:
        with pytest.raises(Reject, match=_REJECTED.get(path.name, ".")):
            next(read_frames(path))
        return
    middle = len(reference.times) // 2
    times, pictures = [], []
    for number, frame in enumerate(read_frames(path)):
        times.append(frame.seconds)
        if number in {0, middle} and path.name not in _UNDEFINED:
            pictures.append(frame.bgr())
            planes = frame.planes()
            if planes is not None:  # clips are cut from planes, if the format allows it
                also = to_bgr(in_jpeg_colours(*planes, of=frame.picture))
                assert difference(also, reference.pictures[number > 0]) <= _GREY_LEVELS
    assert abs(len(times) - len(reference.times)) <= _MOST_MISSING * len(reference.times)
    shared = min(len(times), len(reference.times))
    ours, theirs = np.array(times[:shared], dtype=float), np.array(reference.times[:shared])
    step = float(np.median(np.abs(np.diff(reference.times)))) if shared > 1 else 0.04
    assert np.abs(ours - theirs).max() <= _HALF_FRAME * step
    if path.name in _UNDEFINED:
        return
    pairs = zip(pictures, reference.pictures, strict=shared > 1)
    assert max(difference(*pair) for pair in pairs) <= _GREY_LEVELS


@pytest.mark.parametrize(
    "recipe",
    [
        pytest.param(
            recipe,
            id=f"{recipe.kind}: {recipe.name}",
            marks=[] if recipe.everyday else [pytest.mark.slow],
        )
        for recipe in RECIPES.values()
    ],
)
def test_a_video_is_read_as_ffmpeg_reads_it(corpus: Corpus, recipe: Recipe) -> None:
    check(corpus.make(recipe.name))


_CUT_DAILY = ["h264.ts", "mpeg2.vob", "late.mkv"]
_CUT = [
    "h264.mp4",
    "h264.avi",
    "raw.h264",
    "mpeg4.m4v",
    "vp9.webm",
    "theora.ogv",
    "reset.ts",
    "cover_first.mp4",
]


@pytest.mark.parametrize(
    "name", [*_CUT_DAILY, *(pytest.param(name, marks=pytest.mark.slow) for name in _CUT)]
)
def test_a_cut_is_exact_to_a_frame_in_every_container(
    corpus: Corpus, tmp_path: Path, name: str
) -> None:
    path = corpus.make(name)
    cut(path, tmp_path / "cut.mp4", start=1.0, end=1.8)
    frames = (frame for frame in read_frames(path) if 0.999 <= (frame.seconds or 0) < 1.799)
    wanted = [frame.bgr() for frame in frames]
    pictures = [frame.bgr() for frame in read_frames(tmp_path / "cut.mp4")]
    assert len(pictures) == len(wanted) == 20
    assert max(difference(*pair) for pair in zip(pictures, wanted, strict=True)) < 4


def test_a_stream_can_be_chosen(corpus: Corpus) -> None:
    path = corpus.make("cover_first.mp4")
    levels = [next(read_frames(path, number)).bgr().mean() for number in (None, 0)]
    assert levels[0] == levels[1]
    with pytest.raises(Reject, match=r"^no video stream 1; it has 1, counted from 0$"):
        next(read_frames(path, 1))
    two = corpus.make("second_default.mkv")
    first, second = (read_by_ffmpeg(two, stream=number).pictures[0] for number in (0, 1))
    assert difference(next(read_frames(two, 0)).bgr(), first) < 1
    assert difference(next(read_frames(two, 1)).bgr(), second) < 1
    assert difference(next(read_frames(two)).bgr(), second) < 1


@pytest.mark.parametrize("name", ["hourly.mkv", "fps0.1.mkv", "fps1000.mp4"])
def test_extreme_rates_are_cropped(corpus: Corpus, tmp_path: Path, name: str) -> None:
    config = CropConfig(preset="frames", size=32)
    job = VideoToCrop(name, corpus.make(name))
    (outcome,) = crop_videos([job], config, folder=tmp_path, workers=1)
    assert not outcome.reject
    count = len(read_by_ffmpeg(job.path).times)
    assert sum(1 for _ in read_frames(tmp_path / f"{name}.mkv")) == count == outcome.clips[0].frames
