"""Random crops: one crop box per clip, drawn on the CPU and the same in every frame.

Only the boxes are drawn here. `svfap.augment.cut` cuts the pixels, on the device of the model.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

# Scales and places are from `GroupMultiScaleCrop` in VideoMAE's code; the paper follows VideoMAE.
PRETRAIN_SCALES = (1.0, 0.875, 0.75, 0.66)
CROP_PLACES = (
    *((x, y) for x in (0.0, 0.5, 1.0) for y in (0.0, 0.5, 1.0)),
    *((x, y) for x in (0.25, 0.75) for y in (0.25, 0.75)),
)
CROP_TRIALS = 10  # as in torchvision's RandomResizedCrop


class CropBox(NamedTuple):
    """The part of a clip to keep, in pixels, and whether to mirror it left to right."""

    top: int
    left: int
    height: int
    width: int
    mirrored: bool = False


DrawBox = Callable[[int, int, np.random.Generator], CropBox]


class PlacedBox(NamedTuple):
    """A crop box and the clip that it belongs to.

    Attributes:
        clip: index of the clip in the batch's video.
        clip_height: height of the clip in pixels, without padding.
        clip_width: width of the clip in pixels, without padding.
        top: first row of the crop.
        left: first column of the crop.
        height: rows of the crop.
        width: columns of the crop.
        mirrored: whether to mirror the crop left to right.
    """

    clip: int
    clip_height: int
    clip_width: int
    top: int
    left: int
    height: int
    width: int
    mirrored: bool


@dataclass(frozen=True)
class CropBoxes:
    """The crop boxes of a batch, in one tensor so that they reach a GPU in one copy.

    Iterating gives each row as a `PlacedBox`.

    Attributes:
        rows: (B, 8) integers; the columns are the fields of `PlacedBox`.
    """

    rows: Tensor

    @classmethod
    def of(cls, boxes: Iterable[PlacedBox]) -> "CropBoxes":
        """Collect the boxes of a batch."""
        return cls(torch.tensor([*boxes]))

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[PlacedBox]:
        for *integers, mirrored in self.rows.tolist():
            yield PlacedBox._make((*integers, bool(mirrored)))

    def column(self, field: str) -> Tensor:
        """Return one field of all boxes, (B,) integers."""
        return self.rows[:, PlacedBox._fields.index(field)]

    def to(self, device: torch.device) -> "CropBoxes":
        """Copy the boxes to a device without waiting for the copy."""
        return CropBoxes(self.rows.to(device, non_blocking=True))


def multi_scale_crop(
    height: int, width: int, rng: np.random.Generator, *, min_side: float
) -> CropBox:
    """Draw a crop of 1, 0.875, 0.75 or 0.66 of the frame's sides at one of 13 fixed places.

    Pre-training uses this augmentation. Height and width have the same scale or neighbouring
    scales. The places are the corners, the centres of the sides, the centre, and the points halfway
    between the centre and the corners. Scales below `min_side` are not used.
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
    """Draw a crop with an area share in [min_area, 1] and an aspect ratio in [3/4, 4/3].

    Fine-tuning uses this augmentation. The crop is mirrored with probability `flip`. If no draw
    fits into the frame, the crop is the whole frame.
    """
    found = (0, 0, height, width)
    for _ in range(CROP_TRIALS):
        area = rng.uniform(min_area, 1.0) * height * width
        ratio = np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3)))
        h, w = round((area / ratio) ** 0.5), round((area * ratio) ** 0.5)
        if 0 < h <= height and 0 < w <= width:
            found = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1)), h, w
            break
    return CropBox(*found, mirrored=bool(rng.uniform() < flip))
