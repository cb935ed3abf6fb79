"""A batch of clips on its way from the disk to a device, where it is augmented."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from svfap.augment import cut, rand_augment
from svfap.augment.crop_box import Edits


@dataclass(frozen=True)
class Batch:
    """Clips that a device takes at once.

    Attributes:
        video: (clips, T, H, W, 3) uint8, as they lie in the shards; smaller ones are filled up.
        target: (B, n) float32.
        first: position of the first clip in the stream of draws; seeds what is random.
        share: of the step's clips, over all devices, how many are in this batch.
        windows: (B, 8) integers, what is cut from which clip, see `svfap.augment.cut`; None if
            the video is ready and is (B, T, size, size, 3).
        size: side of what is cut, in pixels.
        edits: what is done to the frames of each window before it is cut; None for nothing.
    """

    video: Tensor
    target: Tensor
    first: int = 0
    share: float = 1.0
    windows: Tensor | None = None
    size: int = 0
    edits: Sequence[Edits] | None = None

    def to(self, device: torch.device) -> "Batch":
        """The batch on a device, edited and cut there."""
        video, target = _copied((self.video, self.target), device)
        windows = self.windows
        if windows is not None and self.edits is not None:
            video, windows = rand_augment.edited(video, windows, self.edits)
        if windows is not None:
            video = cut.cut(video, windows, self.size)
        return replace(self, video=video, target=target, windows=None, edits=None)

    def pin_memory(self) -> "Batch":
        """The batch in memory that a GPU copies from by itself."""
        return replace(self, video=self.video.pin_memory(), target=self.target.pin_memory())


def _copied(tensors: Sequence[Tensor], device: torch.device) -> list[Tensor]:
    """The tensors on a device; a GPU copies them while it computes the step before."""
    if device.type != "cuda":
        return [tensor.to(device) for tensor in tensors]
    stream, current = _copying(device), torch.cuda.current_stream(device)
    with torch.cuda.stream(stream):
        copies = [tensor.to(device, non_blocking=True) for tensor in tensors]
    current.wait_stream(stream)
    for copy in copies:
        copy.record_stream(current)
    return copies


@functools.cache
def _copying(device: torch.device) -> torch.cuda.Stream:
    """The stream of copies to a device."""
    return torch.cuda.Stream(device)
