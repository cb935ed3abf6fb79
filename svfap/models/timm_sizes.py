"""Sizes of pictures as timm's users give them: a number, or height and width."""

from numbers import Integral
from typing import Any

from svfap.config import ModelConfig
from svfap.errors import SvfapError


def square_side(size: Any) -> Any:  # noqa: ANN401 (a number, a pair, or what its user refuses)
    """Return the side of a square given as a number or as a pair.

    Raises:
        SvfapError: height and width differ.
    """
    if not isinstance(size, tuple | list):
        return size
    if len(set(size)) != 1:
        raise SvfapError(f"img_size: {size} is no square; the models take square face crops")
    return size[0]


def new_side(config: ModelConfig, img_size: object, patch_size: object) -> int:
    """Return the side in pixels that a built model shall take.

    Args:
        config: the present sizes.
        img_size: the new side, or height and width; None keeps the present one.
        patch_size: None, or the present size of patches.

    Raises:
        SvfapError: the model cannot take such pictures.
    """
    patch = config.patch_size
    if patch_size is not None and square_side(patch_size) != patch:
        raise SvfapError(f"patch_size: the weights fit patches of {patch} pixels; leave it out")
    side = config.image_size if img_size is None else square_side(img_size)
    if not isinstance(side, Integral) or isinstance(side, bool) or side < 1 or side % patch:
        raise SvfapError(f"img_size: {side!r} is no such side; give a multiple of {patch} pixels")
    return int(side)
