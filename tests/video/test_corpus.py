"""Every kind of video is read as ffmpeg reads it: frames, times and pictures."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.ffmpeg_reference import read_by_ffmpeg
from helpers.photo_videos import Image
from helpers.video_corpus import RECIPES, Corpus, Recipe

from svfap.video.decode import Reject, read_frames

_MOST_MISSING = 0.02  # share of the frames
_HALF_FRAME = 0.5
_GREY_LEVELS = 3.0  # mean difference of two pictures at half size
# Differences from ffmpeg that are meant, or that PyAV's older FFmpeg leaves no choice in.
_REJECTED = {
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
        if number in {0, middle}:
            pictures.append(frame.bgr())
    assert abs(len(times) - len(reference.times)) <= _MOST_MISSING * len(reference.times)
    shared = min(len(times), len(reference.times))
    ours, theirs = np.array(times[:shared], dtype=float), np.array(reference.times[:shared])
    step = float(np.median(np.diff(reference.times))) if shared > 1 else 0.04
    assert np.abs(ours - theirs).max() <= _HALF_FRAME * step
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
