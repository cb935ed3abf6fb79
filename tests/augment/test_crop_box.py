"""Crop boxes: the draws of pre-training and fine-tuning, and the tensor of a batch's boxes."""

import numpy as np
import pytest
import torch

from svfap.augment.crop_box import (
    CropBoxes,
    PlacedBox,
    multi_scale_crop,
    random_resized_crop,
)


def multi_scale(count, side=80):
    rngs = map(np.random.default_rng, range(count))
    return [multi_scale_crop(side, side, rng, min_side=0.66) for rng in rngs]


def test_multi_scale_sides_are_equal_or_neighbours():
    sides = [80, 70, 60, 53]
    found = {(box.height, box.width) for box in multi_scale(200)}
    assert found == {
        (h, w) for h in sides for w in sides if abs(sides.index(h) - sides.index(w)) < 2
    }


def test_multi_scale_crops_lie_at_thirteen_places():
    places = {
        (round(4 * box.top / (800 - box.height)) / 4, round(4 * box.left / (800 - box.width)) / 4)
        for box in multi_scale(800, side=800)
        if 800 not in (box.height, box.width)
    }
    outer, inner = (0.0, 0.5, 1.0), (0.25, 0.75)
    assert places == {(y, x) for y in outer for x in outer} | {(y, x) for y in inner for x in inner}


def test_random_resized_crop_keeps_area_and_ratio():
    for seed in range(100):
        box = random_resized_crop(80, 80, np.random.default_rng(seed), min_area=0.3)
        assert 0.28 < box.height * box.width / 80**2 <= 1
        assert 0.72 < box.width / box.height < 1.39
        assert 0 <= box.top <= 80 - box.height
        assert 0 <= box.left <= 80 - box.width


def test_flip_has_the_given_probability():
    def mirrored(flip):
        rngs = map(np.random.default_rng, range(400))
        return np.mean(
            [random_resized_crop(80, 80, rng, min_area=0.1, flip=flip).mirrored for rng in rngs]
        )

    assert mirrored(0.0) == 0
    assert mirrored(1.0) == 1
    assert mirrored(0.5) == pytest.approx(0.5, abs=0.1)


def test_boxes_of_a_batch_keep_their_order_and_fields():
    boxes = [PlacedBox(1, 60, 80, 5, 6, 20, 30, True), PlacedBox(0, 60, 80, 0, 0, 60, 80, False)]
    batch = CropBoxes.of(boxes)
    assert [*batch] == boxes
    assert all(type(box.mirrored) is bool for box in batch)
    assert len(batch) == 2
    assert batch.rows.dtype == torch.int64
    for field in PlacedBox._fields:
        assert batch.column(field).tolist() == [getattr(box, field) for box in boxes]
