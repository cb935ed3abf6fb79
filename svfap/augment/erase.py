"""Random erasing: fill one box of a clip with noise, as timm's `RandomErasing` in mode "pixel"."""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

AREAS = (0.02, 1 / 3)  # smallest and largest share of the picture, as in timm
ASPECTS = (0.3, 1 / 0.3)  # smallest and largest height / width, as in timm
TRIALS = 10  # boxes to try until one fits into the picture, as in timm


class Erasure(NamedTuple):
    """A box to fill with noise.

    Attributes:
        top: first row.
        left: first column.
        height: number of rows.
        width: number of columns.
        seed: seed of the noise.
    """

    top: int
    left: int
    height: int
    width: int
    seed: int


def draw_erasure(
    probability: float, size: tuple[int, int], rng: np.random.Generator
) -> Erasure | None:
    """Draw the box of one clip; None to leave the clip as it is.

    Args:
        probability: probability of erasing.
        size: height and width of the clip in pixels.
        rng: random generator of the clip.
    """
    if rng.random() >= probability:
        return None
    for _ in range(TRIALS):
        area = rng.uniform(*AREAS) * size[0] * size[1]
        aspect = math.exp(rng.uniform(math.log(ASPECTS[0]), math.log(ASPECTS[1])))
        height, width = round((area * aspect) ** 0.5), round((area / aspect) ** 0.5)
        if height < size[0] and width < size[1]:
            top, left = rng.integers(size[0] - height + 1), rng.integers(size[1] - width + 1)
            return Erasure(int(top), int(left), height, width, int(rng.integers(2**32)))
    return None


def erase(clip: Tensor, box: Erasure) -> None:
    """Fill a box of a clip (C, H, W) in place with normally distributed noise."""
    # A generator of its own: the noise must not depend on the clips before this one.
    generator = torch.Generator(clip.device).manual_seed(box.seed)
    shape = (len(clip), box.height, box.width)
    noise = torch.randn(shape, generator=generator, device=clip.device, dtype=clip.dtype)
    clip[:, box.top : box.top + box.height, box.left : box.left + box.width] = noise
