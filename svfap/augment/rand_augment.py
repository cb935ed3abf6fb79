"""RandAugment on the device: what Pillow does to pictures, done to all frames of a clip at once.

The operations and their strengths are drawn by timm, see `svfap.augment.crop_box.rand_augment`;
results are Pillow's within rounding, which `tests/augment/test_rand_augment.py` checks one by one.
"""

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms.v2 import functional as tv

from svfap.augment.crop_box import Edits

FILL = 128  # what is seen beside a picture that was moved, as in timm
MIDDLE = 128
Operation = Callable[..., Tensor]


def edited(video: Tensor, windows: Tensor, edits: Sequence[Edits]) -> tuple[Tensor, Tensor]:
    """A clip of its own for every window, edited.

    Args:
        video: (clips, T, H, W, 3) uint8.
        windows: (B, 8) integers, see `svfap.augment.cut`.
        edits: of each window.

    Returns:
        (B, T, H, W, 3) uint8, and the windows, now of these clips.
    """
    out = video.new_zeros((len(windows), *video.shape[1:]))
    for place, (row, steps) in enumerate(zip(windows.tolist(), edits, strict=True)):
        clip, height, width = row[:3]
        planes = video[clip, :, :height, :width].permute(0, 3, 1, 2)
        out[place, :, :height, :width] = edit(planes, steps).permute(0, 2, 3, 1)
    return out, torch.cat((torch.arange(len(windows))[:, None], windows[:, 1:]), dim=1)


def edit(frames: Tensor, edits: Edits) -> Tensor:
    """Frames (T, 3, H, W) uint8 after the edits, one after the other.

    Raises:
        KeyError: there is no such operation.
    """
    for name, arguments in edits:
        frames = OPERATIONS[name](frames, *arguments)
    return frames


def _posterize(frames: Tensor, bits: float) -> Tensor:
    kept: Tensor = frames & (256 - 2 ** (8 - int(bits)))
    return kept


def _solarize(frames: Tensor, threshold: float) -> Tensor:
    return torch.where(frames.short() < threshold, frames, 255 - frames)  # it may be 256


def _solarize_add(frames: Tensor, add: float) -> Tensor:
    brighter = frames + min(int(add), MIDDLE - 1)  # which stays below 256
    return torch.where(frames < MIDDLE, brighter, frames)


def _rotate(frames: Tensor, degrees: float) -> Tensor:
    """Around the centre, counter-clockwise."""
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
    """The picture seen through an affine map, bilinearly.

    Args:
        frames: (T, 3, H, W) uint8.
        to_x: factors of x and y, and an offset, that give the x in the source, in pixels whose
            centres are at halves.
        to_y: the same for y.
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
    shown = torch.where(inside, moved.round_(), FILL)
    return shown.to(torch.uint8).view_as(frames)


def _desaturate(frames: Tensor, amount: float) -> Tensor:
    grey: Tensor = tv.adjust_saturation(frames, min(max(1.0 - amount, 0.0), 1.0))
    return grey


def _blur(frames: Tensor, radius: float) -> Tensor:
    reach = math.ceil(3 * radius)
    wide = tv.pad(frames, [reach], padding_mode="edge")
    blurred: Tensor = tv.gaussian_blur(wide, 2 * reach + 1, radius)
    return blurred[..., reach:-reach, reach:-reach]


_LEVELLED: dict[str, Operation] = {
    "Posterize": _posterize,
    "Solarize": _solarize,
    "Color": tv.adjust_saturation,
    "Contrast": tv.adjust_contrast,
    "Brightness": tv.adjust_brightness,
    "Sharpness": tv.adjust_sharpness,
}
OPERATIONS: dict[str, Operation] = {
    "AutoContrast": tv.autocontrast,
    "Equalize": tv.equalize,
    "Invert": tv.invert,
    "Rotate": _rotate,
    "ShearX": _shear_x,
    "ShearY": _shear_y,
    "TranslateXRel": _translate_x,
    "TranslateYRel": _translate_y,
    "SolarizeAdd": _solarize_add,
    "Desaturate": _desaturate,
    "GaussianBlur": _blur,
    **_LEVELLED,
    **{f"{name}Increasing": operation for name, operation in _LEVELLED.items()},
}
