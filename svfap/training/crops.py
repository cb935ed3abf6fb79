"""Clips are cut, scaled and mirrored on the device that they are for."""

import torch.nn.functional as F
from torch import Tensor


def cut(video: Tensor, windows: Tensor, size: int) -> Tensor:
    """Windows of clips, each scaled to a square.

    Bilinear with antialiasing, as Pillow scales; rounded to whole numbers on every device.

    Args:
        video: (clips, T, H, W, 3) uint8.
        windows: (B, 6) integers: clip, top, left, height, width, mirrored.
        size: side of the result in pixels.

    Returns:
        (B, T, size, size, 3) uint8.
    """
    cuts = video.new_empty((len(windows), video.shape[1], size, size, 3))
    for out, (clip, top, left, height, width, mirrored) in zip(cuts, windows.tolist(), strict=True):
        part = _scale(video[clip, :, top : top + height, left : left + width], size)
        out.copy_(part.flip(2) if mirrored else part)
    return cuts


def _scale(clip: Tensor, size: int) -> Tensor:
    """A clip (T, h, w, 3) as (T, size, size, 3)."""
    if clip.shape[1:3] == (size, size):
        return clip
    planes = clip.permute(0, 3, 1, 2)
    if clip.device.type != "cpu":  # which alone has kernels for bytes
        planes = planes.float()
    scaled = F.interpolate(planes, (size, size), mode="bilinear", antialias=True)
    if scaled.is_floating_point():
        scaled = scaled.round().clamp(0, 255)
    return scaled.permute(0, 2, 3, 1)
