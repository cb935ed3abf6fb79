"""Clip augmentation: one random choice per clip, the same in every frame.

What is done to a clip is drawn here, beside the disk; it is done on the device that the clip is for
(`svfap.augment.rand_augment` and `svfap.augment.cut`).
"""

import random
from collections.abc import Callable
from functools import partial
from itertools import product
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from svfap.errors import SvfapError

Frames = NDArray[np.uint8]
Edits = tuple[tuple[str, tuple[float, ...]], ...]
DrawEdits = Callable[[np.random.Generator], Edits]

PRETRAIN_SCALES = (1.0, 0.875, 0.75, 0.66)
CROP_PLACES = (
    *((x, y) for x in (0.0, 0.5, 1.0) for y in (0.0, 0.5, 1.0)),
    *((x, y) for x in (0.25, 0.75) for y in (0.25, 0.75)),
)


class CropBox(NamedTuple):
    """The part of a clip that is shown, in pixels, and whether it is mirrored."""

    top: int
    left: int
    height: int
    width: int
    mirrored: bool = False


Draw = Callable[[int, int, np.random.Generator], CropBox]


def resize(frames: Frames, size: int) -> Frames:
    """Scale frames (T, H, W, 3) to (T, size, size, 3)."""
    if frames.shape[1:3] == (size, size):
        return frames
    shrink = frames.shape[1] > size
    method = cv2.INTER_AREA if shrink else cv2.INTER_LINEAR
    return np.stack([cv2.resize(f, (size, size), interpolation=method) for f in frames])


def multi_scale_crop(
    height: int, width: int, rng: np.random.Generator, *, min_side: float
) -> CropBox:
    """Sides of 1, 0.875, 0.75 or 0.66 of the frame at one of 13 fixed places.

    The pre-training augmentation: height and width are the same or neighbouring scales; places are
    corners, centres of sides, the centre, and between it and the corners. Scales below `min_side`
    are left out.
    """
    scales = [scale for scale in PRETRAIN_SCALES if scale >= min_side] or [1.0]
    pairs = [pair for pair in product(range(len(scales)), repeat=2) if abs(pair[0] - pair[1]) <= 1]
    chosen = pairs[rng.integers(len(pairs))]
    h, w = (round(side * scales[i]) for side, i in zip((height, width), chosen, strict=True))
    x, y = CROP_PLACES[rng.integers(len(CROP_PLACES))]
    return CropBox(round(y * (height - h)), round(x * (width - w)), h, w)


def random_resized_crop(
    height: int, width: int, rng: np.random.Generator, *, min_area: float, flip: float = 0.0
) -> CropBox:
    """A random area in [min_area, 1] with a side ratio in [3/4, 4/3], mirrored now and then."""
    found = (0, 0, height, width)
    for _ in range(10):
        area = rng.uniform(min_area, 1.0) * height * width
        ratio = np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3)))
        h, w = round((area / ratio) ** 0.5), round((area * ratio) ** 0.5)
        if 0 < h <= height and 0 < w <= width:
            found = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1)), h, w
            break
    return CropBox(*found, mirrored=bool(rng.uniform() < flip))


def rand_augment(notation: str) -> DrawEdits:
    """Draws timm's RandAugment: operations and their strengths, one choice for a whole clip.

    Raises:
        SvfapError: timm does not understand the notation.
    """
    from timm.data.auto_augment import rand_augment_transform

    try:
        policy = rand_augment_transform(notation, {"interpolation": "bilinear"})
    except (AssertionError, ValueError, IndexError):
        raise SvfapError(
            f"finetune.rand_augment: {notation!r} is no RandAugment in timm's notation; write it"
            " like rand-m7-n4-mstd0.5-inc1, or '' for none"
        ) from None
    for operation in policy.ops:
        operation.aug_fn = partial(_noted, operation.name)

    def draw(rng: np.random.Generator) -> Edits:
        seed = int(rng.integers(2**32))
        random.seed(seed)
        np.random.seed(seed)
        drawn: Edits = policy(())
        return drawn

    return draw


def _noted(name: str, before: Edits, *arguments: float, **_: object) -> Edits:
    """What timm would do to a picture, added to what it would have done before."""
    return (*before, (name, arguments))
