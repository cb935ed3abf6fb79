"""Cutting and scaling crops: the same in every frame, and the same as Pillow's on every device."""

import numpy as np
import pytest
import torch
from PIL import Image

from svfap.augment.crop_box import CropBox, CropBoxes, PlacedBox, random_resized_crop
from svfap.augment.cut import cut, cut_batched


@pytest.fixture
def still():
    """Eight equal frames of a random picture, (8, 80, 80, 3)."""
    picture = np.random.default_rng(1).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    return np.repeat(picture[None], 8, axis=0)


def cut_one(clip, box, size, cut=cut):
    boxes = CropBoxes.of([PlacedBox(0, *clip.shape[1:3], *box)])
    return cut(torch.from_numpy(clip)[None], boxes, size)[0].numpy()


@pytest.mark.parametrize("cut", [cut, cut_batched])
@pytest.mark.parametrize("size", [48, 96])
def test_crops_equal_pillows(still, size, cut):
    """The reference recipe crops and scales with Pillow, bilinearly."""
    for seed in range(10):
        box = random_resized_crop(80, 80, np.random.default_rng(seed), min_area=0.1, flip=0.5)
        top, left, height, width, mirrored = box
        image = Image.fromarray(still[0]).crop((left, top, left + width, top + height))
        image = image.resize((size, size), Image.Resampling.BILINEAR)
        expected = np.asarray(image)[:, ::-1] if mirrored else np.asarray(image)
        found = cut_one(still, box, size, cut)
        assert found.shape == (8, size, size, 3)
        assert (found == found[:1]).all()
        assert np.abs(found[0].astype(int) - expected).max() <= 1


@pytest.mark.parametrize("cut", [cut, cut_batched])
def test_a_crop_of_the_right_size_is_not_scaled(still, cut):
    found = cut_one(still, CropBox(10, 20, 48, 48), 48, cut)
    assert np.array_equal(found, still[:, 10:58, 20:68])


@pytest.mark.parametrize("cut", [cut, cut_batched])
def test_boxes_are_cut_from_their_clips(still, cut):
    clips = torch.from_numpy(np.stack([still, 255 - still]))
    places = [(1, False), (0, True), (1, True)]
    boxes = CropBoxes.of(PlacedBox(n, 80, 80, 0, 0, 80, 80, mirrored) for n, mirrored in places)
    found = cut(clips, boxes, 80).numpy()
    assert np.array_equal(found[0], 255 - still)
    assert np.array_equal(found[1], still[:, :, ::-1])
    assert np.array_equal(found[2], 255 - still[:, :, ::-1])
