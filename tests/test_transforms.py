"""Clip augmentation: one random choice per clip, the same in every frame."""

import numpy as np
import pytest

from svfap.video.transforms import (
    multi_scale_crop,
    pretrain_transform,
    random_resized_crop,
    resize,
    train_transform,
)


@pytest.fixture
def still():
    """Eight equal frames of a random picture, (8, 80, 80, 3)."""
    picture = np.random.default_rng(1).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    return np.repeat(picture[None], 8, axis=0)


@pytest.mark.parametrize(
    "transform",
    [
        pretrain_transform(48, min_side=0.66),
        train_transform(48, min_area=0.08, flip=0.5, rand_augment=""),
        train_transform(48, min_area=0.5, flip=0.5, rand_augment="rand-m7-n4-mstd0.5-inc1"),
    ],
    ids=["pretrain", "train", "rand_augment"],
)
def test_every_frame_is_changed_alike(transform, still):
    outputs = [transform(still, np.random.default_rng(seed)) for seed in range(6)]
    for output in outputs:
        assert output.shape == (8, 48, 48, 3)
        assert output.dtype == np.uint8
        assert (output == output[:1]).all()
    assert len({output.tobytes() for output in outputs}) > 1
    again = transform(still, np.random.default_rng(0))
    assert np.array_equal(again, outputs[0])


def multi_scale_crops(frames, count):
    rngs = map(np.random.default_rng, range(count))
    return [multi_scale_crop(frames, rng, min_side=0.66) for rng in rngs]


def test_multi_scale_sides_are_equal_or_neighbours(still):
    sides = [80, 70, 60, 53]
    found = {crop.shape[1:3] for crop in multi_scale_crops(still, 200)}
    assert found == {
        (h, w) for h in sides for w in sides if abs(sides.index(h) - sides.index(w)) < 2
    }


def test_multi_scale_crops_lie_at_thirteen_places():
    rows, columns = np.mgrid[:80, :80].astype(np.uint8)
    frames = np.stack([rows, columns, rows], axis=-1)[None]
    places = {
        tuple((first / (80 - side)).round(2).item() for first, side in zip(
            crop[0, 0, 0, :2].astype(float), crop.shape[1:3], strict=True))
        for crop in multi_scale_crops(frames, 800) if 80 not in crop.shape[1:3]
    }  # fmt: skip
    corners = {(y, x) for y in (0.0, 0.5, 1.0) for x in (0.0, 0.5, 1.0)}
    inner = {(round(y, 1), round(x, 1)) for y, x in places} - corners
    assert corners <= {(round(y, 1), round(x, 1)) for y, x in places}
    assert len(inner) >= 4
    assert all(0.15 < y < 0.85 and 0.15 < x < 0.85 for y, x in inner)


def test_random_resized_crop_keeps_area_and_ratio(still):
    for seed in range(100):
        crop = random_resized_crop(still, np.random.default_rng(seed), min_area=0.3)
        height, width = crop.shape[1:3]
        assert 0.28 < height * width / 80**2 <= 1
        assert 0.72 < width / height < 1.39


def test_flip_is_certain_or_never(still):
    plain = {"min_area": 1.0, "rand_augment": ""}
    kept = train_transform(80, flip=0.0, **plain)(still, np.random.default_rng(0))
    flipped = train_transform(80, flip=1.0, **plain)(still, np.random.default_rng(0))
    assert np.array_equal(kept, flipped[:, :, ::-1])


def test_resize_leaves_the_right_size_alone(still):
    assert resize(still, 80) is still
