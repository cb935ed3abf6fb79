"""Cut crops out of clips, scale and mirror them, on the device of the model."""

import numpy as np
import torch
from torch import Tensor

from svfap.augment.crop_box import CropBoxes

CONTIGUOUS = torch.contiguous_format


def cut(video: Tensor, boxes: CropBoxes, size: int) -> Tensor:
    """Cut the boxes out of their clips and scale each crop to a square.

    Scaling is bilinear with antialiasing, as in Pillow; every device rounds to whole numbers.

    Args:
        video: (clips, T, H, W, 3) uint8.
        boxes: B crop boxes.
        size: side of the result in pixels.

    Returns:
        (B, T, size, size, 3) uint8.
    """
    # On the CPU, torch can scale uint8 without converting it to float, and a loop reads only the
    # pixels inside the boxes. So a loop is faster there than one product for the whole batch.
    if video.device.type == "cpu":
        return _cut_each(video, boxes, size)
    return cut_batched(video, boxes.to(video.device), size)


def _cut_each(video: Tensor, boxes: CropBoxes, size: int) -> Tensor:
    """Cut one box after the other."""
    shape = (len(boxes), video.shape[1], size, size, 3)
    # For large arrays, NumPy asks Linux for huge pages and torch.empty does not. Huge pages cause
    # far fewer page faults.
    crops = torch.from_numpy(np.empty(shape, np.uint8))
    for out, box in zip(crops, boxes, strict=True):
        rows = slice(box.top, box.top + box.height)
        columns = slice(box.left, box.left + box.width)
        _scale(video[box.clip, :, rows, columns], out)
        if box.mirrored:
            out.copy_(out.flip(2))  # `flip` returns a copy, so source and target do not overlap
    return crops


def _scale(region: Tensor, out: Tensor) -> None:
    """Scale frames (T, h, w, 3) uint8 into `out`, (T, size, size, 3) uint8."""
    if region.shape == out.shape:
        out.copy_(region)
        return
    planes = out.permute(0, 3, 1, 2)
    # F.interpolate(antialias=True) has no argument `out` (torch 2.13); the operator that it calls
    # has one. Using it saves a copy of every clip.
    torch.ops.aten._upsample_bilinear2d_aa.out(
        region.permute(0, 3, 1, 2), planes.shape[2:], False, out=planes
    )


def cut_batched(video: Tensor, boxes: CropBoxes, size: int) -> Tensor:
    """Do the work of `cut` with two matrix products for the whole batch.

    A loop over boxes of different sizes would start many small kernels on a GPU, and the host
    would have to wait for the boxes. Video and boxes are on the same device.
    """
    # float16 represents the pixel values 0 to 255 exactly, and GPUs multiply it fastest.
    dtype = torch.float16 if video.is_cuda else torch.float32
    times, height, width = video.shape[1:4]
    rows = _weights(boxes.column("top"), boxes.column("height"), height, size)
    columns = _weights(boxes.column("left"), boxes.column("width"), width, size)
    mirrored = boxes.column("mirrored")[:, None, None] > 0
    columns = torch.where(mirrored, columns.flip(1), columns)
    # Each product is one matrix per box: a batched product would copy the weights for every frame.
    lines = video[boxes.column("clip")].transpose(1, 2).to(dtype, memory_format=CONTIGUOUS)
    scaled = rows.to(dtype) @ lines.flatten(2)  # (B, size, T * W * 3)
    turned = scaled.unflatten(2, (times, width, 3)).permute(0, 3, 1, 2, 4).flatten(2)
    pixels = (columns.to(dtype) @ turned).round_().clamp_(0, 255)  # (B, size, size * T * 3)
    frames = pixels.unflatten(2, (size, times, 3)).permute(0, 3, 2, 1, 4)
    out: Tensor = frames.to(torch.uint8, memory_format=CONTIGUOUS)
    return out


def _weights(start: Tensor, length: Tensor, source: int, size: int) -> Tensor:
    """Scale a part of a line: return the weight of each source pixel in each scaled pixel.

    The filter is Pillow's: a triangle cut off at the ends of the part; its half-width is one
    scaled pixel when shrinking and one source pixel when enlarging.

    Args:
        start: (B,) first pixel of the part.
        length: (B,) number of pixels of the part.
        source: number of pixels of the line.
        size: number of pixels after scaling.

    Returns:
        (B, size, source); the weights of one scaled pixel sum to 1 and are 0 outside of the part.
    """
    start, length = start[:, None, None], length[:, None, None]
    scale = length / size
    centres = start + (torch.arange(size, device=start.device)[:, None] + 0.5) * scale
    pixels = torch.arange(source, device=start.device)
    half_width = scale.clamp(min=1)
    weights = (1 - (pixels + 0.5 - centres).abs() / half_width).clamp(min=0)
    weights = weights * ((pixels >= start) & (pixels < start + length))
    shares: Tensor = weights / weights.sum(dim=-1, keepdim=True)
    return shares
