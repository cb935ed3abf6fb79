"""Clips are cut, scaled and mirrored on the device that they are for.

A window is a row of eight integers: the clip, its height and width; top, left, height and width of
what is shown of it; whether that is mirrored.
"""

import numpy as np
import torch
from torch import Tensor


def cut(video: Tensor, windows: Tensor, size: int) -> Tensor:
    """Windows of clips, each scaled to a square.

    Bilinear with antialiasing, as Pillow scales; rounded to whole numbers on every device.

    Args:
        video: (clips, T, H, W, 3) uint8.
        windows: (B, 8) integers.
        size: side of the result in pixels.

    Returns:
        (B, T, size, size, 3) uint8.
    """
    if video.device.type == "cpu":  # which alone has kernels for bytes
        return _one_by_one(video, windows, size)
    return all_at_once(video, windows.to(video.device, non_blocking=True), size)


def _one_by_one(video: Tensor, windows: Tensor, size: int) -> Tensor:
    """Each window by itself, which does no work twice."""
    shape = (len(windows), video.shape[1], size, size, 3)
    cuts = torch.from_numpy(np.empty(shape, np.uint8))  # in large pages, unlike torch's own
    for out, row in zip(cuts, windows.tolist(), strict=True):
        clip, _, _, top, left, height, width, mirrored = row
        _scale(video[clip, :, top : top + height, left : left + width], out)
        if mirrored:
            out.copy_(out.flip(2))
    return cuts


def _scale(part: Tensor, out: Tensor) -> None:
    """Scale frames (T, h, w, 3) uint8 to those of `out`, where they are wanted."""
    if part.shape == out.shape:
        out.copy_(part)
        return
    planes = out.permute(0, 3, 1, 2)
    # F.interpolate with antialiasing, which has no `out`
    torch.ops.aten._upsample_bilinear2d_aa.out(
        part.permute(0, 3, 1, 2), planes.shape[2:], False, out=planes
    )


def all_at_once(video: Tensor, windows: Tensor, size: int) -> Tensor:
    """`cut` as two matrix products for the whole batch, whatever the sizes of its windows.

    Both tensors are on one device. Products are of half precision where it has units for that, in
    which whole numbers up to 255 are exact.
    """
    dtype = torch.float16 if video.is_cuda else torch.float32
    clip, _, _, top, left, tall, wide, mirrored = windows.unbind(dim=1)
    planes = video[clip].permute(0, 1, 4, 2, 3).flatten(1, 2).to(dtype)  # (B, T * 3, H, W)
    rows = _weights(top, tall, planes.shape[2], size)
    columns = _weights(left, wide, planes.shape[3], size)
    columns = torch.where(mirrored[:, None, None] > 0, columns.flip(1), columns)
    scaled = (rows.to(dtype)[:, None] @ planes) @ columns.to(dtype)[:, None].mT
    pixels = scaled.round_().clamp_(0, 255).to(torch.uint8)
    frames: Tensor = pixels.unflatten(1, (-1, 3)).permute(0, 1, 3, 4, 2).contiguous()
    return frames


def _weights(start: Tensor, length: Tensor, source: int, size: int) -> Tensor:
    """How much each pixel of a line counts for each pixel of its scaled part.

    Args:
        start: (B,) first pixel of the part.
        length: (B,) its pixels.
        source: pixels of the line.
        size: pixels that the part is scaled to.

    Returns:
        (B, size, source); what one pixel is made of sums to 1, and lies within the part.
    """
    start, length = start[:, None, None], length[:, None, None]
    step = length / size
    centres = start + (torch.arange(size, device=start.device)[:, None] + 0.5) * step
    pixels = torch.arange(source, device=start.device)
    reach = step.clamp(min=1)
    weights = (1 - (pixels + 0.5 - centres).abs() / reach).clamp(min=0)
    weights = weights * ((pixels >= start) & (pixels < start + length))
    shares: Tensor = weights / weights.sum(dim=-1, keepdim=True)
    return shares
