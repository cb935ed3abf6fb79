"""Clip augmentation: one random choice per clip, the same in every frame, the same as Pillow's."""

import numpy as np
import pytest
import torch
from PIL import Image

from svfap.augment.crop_box import CropBox, multi_scale_crop, random_resized_crop, resize
from svfap.augment.cut import all_at_once, cut


@pytest.fixture
def still():
    """Eight equal frames of a random picture, (8, 80, 80, 3)."""
    picture = np.random.default_rng(1).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    return np.repeat(picture[None], 8, axis=0)


def cut_one(clip, window, size, cut=cut):
    windows = torch.tensor([(0, *clip.shape[1:3], *window)])
    return cut(torch.from_numpy(clip)[None], windows, size)[0].numpy()


def multi_scale(count, side=80):
    rngs = map(np.random.default_rng, range(count))
    return [multi_scale_crop(side, side, rng, min_side=0.66) for rng in rngs]


def test_multi_scale_sides_are_equal_or_neighbours():
    sides = [80, 70, 60, 53]
    found = {(window.height, window.width) for window in multi_scale(200)}
    assert found == {
        (h, w) for h in sides for w in sides if abs(sides.index(h) - sides.index(w)) < 2
    }


def test_multi_scale_crops_lie_at_thirteen_places():
    places = {
        (round(4 * w.top / (800 - w.height)) / 4, round(4 * w.left / (800 - w.width)) / 4)
        for w in multi_scale(800, side=800)
        if 800 not in (w.height, w.width)
    }
    outer, inner = (0.0, 0.5, 1.0), (0.25, 0.75)
    assert places == {(y, x) for y in outer for x in outer} | {(y, x) for y in inner for x in inner}


def test_random_resized_crop_keeps_area_and_ratio():
    for seed in range(100):
        window = random_resized_crop(80, 80, np.random.default_rng(seed), min_area=0.3)
        assert 0.28 < window.height * window.width / 80**2 <= 1
        assert 0.72 < window.width / window.height < 1.39
        assert 0 <= window.top <= 80 - window.height
        assert 0 <= window.left <= 80 - window.width


def test_flip_is_as_likely_as_asked():
    def mirrored(flip):
        rngs = map(np.random.default_rng, range(400))
        return np.mean(
            [random_resized_crop(80, 80, rng, min_area=0.1, flip=flip).mirrored for rng in rngs]
        )

    assert mirrored(0.0) == 0
    assert mirrored(1.0) == 1
    assert mirrored(0.5) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("cut", [cut, all_at_once])
@pytest.mark.parametrize("size", [48, 96])
def test_what_is_cut_is_what_pillow_cuts(still, size, cut):
    """The reference recipe crops and scales with Pillow, bilinearly."""
    for seed in range(10):
        window = random_resized_crop(80, 80, np.random.default_rng(seed), min_area=0.1, flip=0.5)
        top, left, height, width, mirrored = window
        image = Image.fromarray(still[0]).crop((left, top, left + width, top + height))
        image = image.resize((size, size), Image.Resampling.BILINEAR)
        expected = np.asarray(image)[:, ::-1] if mirrored else np.asarray(image)
        found = cut_one(still, window, size, cut)
        assert found.shape == (8, size, size, 3)
        assert (found == found[:1]).all()
        assert np.abs(found[0].astype(int) - expected).max() <= 1


@pytest.mark.parametrize("cut", [cut, all_at_once])
def test_a_window_of_the_right_size_is_not_scaled(still, cut):
    found = cut_one(still, CropBox(10, 20, 48, 48), 48, cut)
    assert np.array_equal(found, still[:, 10:58, 20:68])


@pytest.mark.parametrize("cut", [cut, all_at_once])
def test_windows_are_cut_from_their_clips(still, cut):
    clips = torch.from_numpy(np.stack([still, 255 - still]))
    rows = [(1, 0), (0, 1), (1, 1)]
    windows = torch.tensor([(n, 80, 80, 0, 0, 80, 80, mirrored) for n, mirrored in rows])
    found = cut(clips, windows, 80).numpy()
    assert np.array_equal(found[0], 255 - still)
    assert np.array_equal(found[1], still[:, :, ::-1])
    assert np.array_equal(found[2], 255 - still[:, :, ::-1])


def test_resize_leaves_the_right_size_alone(still):
    assert resize(still, 80) is still
