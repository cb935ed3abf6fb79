"""RandAugment: timm draws the operations, this module applies them to all frames at once.

Operations and strengths are drawn on the CPU, once per clip, and applied on the device of the
model. Results equal timm's with Pillow within rounding; `tests/augment/test_rand_augment.py` checks
each operation.
"""

import math
import random
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from svfap.augment.crop_box import CropBoxes
from svfap.errors import SvfapError

FILL = 128  # grey of the pixels that a moved frame uncovers, as in timm
MIDDLE = 128  # SolarizeAdd brightens pixels below this value, as in timm

# The operations of one clip in order: names and arguments. They are plain tuples, so that a batch
# saved for `guard.replay` can be read without unpickling classes.
Edits = tuple[tuple[str, tuple[float, ...]], ...]
DrawEdits = Callable[[np.random.Generator], Edits]
Operation = Callable[..., Tensor]


def rand_augment_policy(notation: str) -> DrawEdits:
    """Return a function that draws the edits of one clip as timm's RandAugment does.

    Raises:
        SvfapError: timm does not understand the notation.
    """
    from timm.data.auto_augment import rand_augment_transform

    try:
        policy = rand_augment_transform(notation, {"interpolation": "bilinear"})
    except (AssertionError, ValueError, IndexError):
        raise SvfapError(
            f"finetune.rand_augment: timm does not understand {notation!r}; write it like"
            " rand-m7-n4-mstd0.5-inc1, or '' to turn RandAugment off"
        ) from None
    # timm (1.0) draws and applies an operation in one call and offers no way to only draw. So each
    # operation's function is replaced by one that records its arguments: the policy then turns an
    # empty record, in place of an image, into the record of all operations that it drew.
    for operation in policy.ops:
        operation.aug_fn = partial(_record, operation.name)

    def draw(rng: np.random.Generator) -> Edits:
        # timm draws from the global generators of Python and NumPy. Seeding them here makes the
        # edits a function of `rng`. In the training process itself (no loader processes) this
        # disturbs nothing: `Stepper.seeded_loss` seeds all global generators before they are used.
        seed = int(rng.integers(2**32))
        random.seed(seed)
        np.random.seed(seed)
        drawn: Edits = policy(())
        return drawn

    return draw


def _record(name: str, before: Edits, *arguments: float, **_: object) -> Edits:
    """Record timm's operation instead of applying it."""
    return (*before, (name, arguments))


def edit_clips(video: Tensor, boxes: CropBoxes, edits: Sequence[Edits]) -> tuple[Tensor, CropBoxes]:
    """Copy the clip of every crop box and edit the copies.

    Several boxes may share a clip, but each has its own edits.

    Args:
        video: (clips, T, H, W, 3) uint8.
        boxes: B crop boxes, on the CPU.
        edits: edits of each box.

    Returns:
        (B, T, H, W, 3) uint8, and the boxes with the indices of the copies as their clips.
    """
    copies = video.new_zeros((len(boxes), *video.shape[1:]))
    moved = []
    for number, (box, steps) in enumerate(zip(boxes, edits, strict=True)):
        height, width = box.clip_height, box.clip_width  # edits must not see the padding
        planes = video[box.clip, :, :height, :width].permute(0, 3, 1, 2)
        copies[number, :, :height, :width] = edit(planes, steps).permute(0, 2, 3, 1)
        moved.append(box._replace(clip=number))
    return copies, CropBoxes.of(moved)


def edit(frames: Tensor, edits: Edits) -> Tensor:
    """Apply edits to frames (T, 3, H, W) uint8, one after the other.

    Raises:
        KeyError: an operation is unknown.
    """
    for name, arguments in edits:
        frames = OPERATIONS[name](frames, *arguments)
    return frames


def _torchvision(name: str) -> Operation:
    """Return one of torchvision's operations, which is imported when it is first called."""

    def operation(frames: Tensor, *arguments: object, **options: object) -> Tensor:
        # Importing torchvision takes longer than importing torch, and only RandAugment needs it.
        from torchvision.transforms.v2 import functional

        out: Tensor = getattr(functional, name)(frames, *arguments, **options)
        return out

    return operation


_pad, _gaussian_blur = _torchvision("pad"), _torchvision("gaussian_blur")
_adjust_saturation = _torchvision("adjust_saturation")


def _posterize(frames: Tensor, bits: float) -> Tensor:
    kept: Tensor = frames & (256 - 2 ** (8 - int(bits)))
    return kept


def _solarize(frames: Tensor, threshold: float) -> Tensor:
    # The threshold may be 256, which does not fit into uint8.
    return torch.where(frames.short() < threshold, frames, 255 - frames)


def _solarize_add(frames: Tensor, add: float) -> Tensor:
    brighter = frames + min(int(add), MIDDLE - 1)  # below 256: only values below MIDDLE are used
    return torch.where(frames < MIDDLE, brighter, frames)


def _rotate(frames: Tensor, degrees: float) -> Tensor:
    """Rotate around the centre, counter-clockwise."""
    height, width = frames.shape[-2:]
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x, y = width / 2, height / 2
    return _affine(frames, (cos, -sin, x - cos * x + sin * y), (sin, cos, y - sin * x - cos * y))


def _shear_x(frames: Tensor, factor: float) -> Tensor:
    return _affine(frames, (1, factor, 0), (0, 1, 0))


def _shear_y(frames: Tensor, factor: float) -> Tensor:
    return _affine(frames, (1, 0, 0), (factor, 1, 0))


def _translate_x(frames: Tensor, share: float) -> Tensor:
    return _affine(frames, (1, 0, share * frames.shape[-1]), (0, 1, 0))


def _translate_y(frames: Tensor, share: float) -> Tensor:
    return _affine(frames, (1, 0, 0), (0, 1, share * frames.shape[-2]))


def _affine(frames: Tensor, to_x: Sequence[float], to_y: Sequence[float]) -> Tensor:
    """Resample frames bilinearly through an affine map.

    Args:
        frames: (T, 3, H, W) uint8.
        to_x: factors (a, b, c) such that a * x + b * y + c is the source's x; pixels have their
            centres at x + 0.5, y + 0.5.
        to_y: factors for the source's y, likewise.
    """
    height, width = frames.shape[-2:]
    x = torch.arange(width, device=frames.device) + 0.5
    y = (torch.arange(height, device=frames.device) + 0.5)[:, None]
    source_x, source_y = (a * x + b * y + c for a, b, c in (to_x, to_y))
    inside = (source_x >= 0) & (source_x < width) & (source_y >= 0) & (source_y < height)
    grid = torch.stack((2 * source_x / width - 1, 2 * source_y / height - 1), dim=-1)
    moved = F.grid_sample(
        frames.float().flatten(0, 1)[None], grid[None], padding_mode="border", align_corners=False
    )
    filled = torch.where(inside, moved.round_(), FILL)
    return filled.to(torch.uint8).view_as(frames)


def _desaturate(frames: Tensor, amount: float) -> Tensor:
    return _adjust_saturation(frames, min(max(1.0 - amount, 0.0), 1.0))


def _blur(frames: Tensor, radius: float) -> Tensor:
    # Pad as Pillow does, by repeating the edge; torchvision would pad by reflection.
    reach = math.ceil(3 * radius)  # 99.7 % of the Gaussian
    wide = _pad(frames, [reach], padding_mode="edge")
    blurred = _gaussian_blur(wide, 2 * reach + 1, radius)
    return blurred[..., reach:-reach, reach:-reach]


# timm has each of these operations under two names. With "...Increasing", a larger magnitude means
# a stronger edit; the two names differ only in how the arguments are drawn.
_BOTH_SCALES: dict[str, Operation] = {
    "Posterize": _posterize,
    "Solarize": _solarize,
    "Color": _adjust_saturation,
    "Contrast": _torchvision("adjust_contrast"),
    "Brightness": _torchvision("adjust_brightness"),
    "Sharpness": _torchvision("adjust_sharpness"),
}
OPERATIONS: dict[str, Operation] = {
    "AutoContrast": _torchvision("autocontrast"),
    "Equalize": _torchvision("equalize"),
    "Invert": _torchvision("invert"),
    "Rotate": _rotate,
    "ShearX": _shear_x,
    "ShearY": _shear_y,
    "TranslateXRel": _translate_x,
    "TranslateYRel": _translate_y,
    "SolarizeAdd": _solarize_add,
    "Desaturate": _desaturate,
    "GaussianBlur": _blur,
    **_BOTH_SCALES,
    **{f"{name}Increasing": operation for name, operation in _BOTH_SCALES.items()},
}
