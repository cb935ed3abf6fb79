"""A batch of clips: loaded on the CPU, augmented on the device that trains on it."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from svfap.augment.crop_box import CropBoxes
from svfap.augment.cut import cut
from svfap.augment.rand_augment import Edits, edit_clips

BOXES_KEY = "windows"  # key of the field `boxes` in saved batches, which keep its old name


@dataclass(frozen=True)
class Batch:
    """Clips of one forward and backward pass.

    Attributes:
        video: clips as decoded from the shards, (clips, T, H, W, 3) uint8; smaller clips are
            padded.
        target: targets of the crops, (B, n) float32.
        first: position of the first crop in the stream of draws.
        share: this batch's share of the step's crops on all devices.
        boxes: boxes to cut from the clips; None if `video` already has the crops, with shape
            (B, T, size, size, 3).
        size: side of the crops in pixels.
        edits: RandAugment's operations for each box; None for no RandAugment.
        step: position of the step's first crop, and number of the step's crops on all devices; None
            if the batch is a whole step.
    """

    video: Tensor
    target: Tensor
    first: int = 0
    share: float = 1.0
    boxes: CropBoxes | None = None
    size: int = 0
    edits: Sequence[Edits] | None = None
    step: tuple[int, int] | None = None

    @property
    def step_first(self) -> int:
        """Position of the step's first crop; it seeds the random numbers of the step."""
        return self.step[0] if self.step else self.first

    def rand(self, *shape: int) -> Tensor:
        """Draw uniform numbers in [0, 1) for each crop, (B, *shape), on the batch's device.

        They are drawn for all crops of the step, so that the numbers of a crop do not depend on how
        the step is divided into batches and processes.
        """
        count = self.step[1] if self.step else len(self.target)
        start = self.first - self.step_first
        drawn = torch.rand(count, *shape, device=self.video.device)
        return drawn[start : start + len(self.target)]

    def prepared(self, device: torch.device) -> "Batch":
        """Copy the batch to a device, and apply RandAugment, crop, scale and mirror there."""
        video, target = _copied((self.video, self.target), device)
        boxes = self.boxes
        if boxes is not None and self.edits is not None:
            video, boxes = edit_clips(video, boxes, self.edits)
        if boxes is not None:
            video = cut(video, boxes, self.size)
        return replace(self, video=video, target=target, boxes=None, edits=None)

    def pin_memory(self) -> "Batch":
        """Copy the batch to page-locked memory; `DataLoader(pin_memory=True)` calls this."""
        return replace(self, video=self.video.pin_memory(), target=self.target.pin_memory())

    def to_dict(self) -> dict[str, Any]:
        """Return tensors and plain values that `torch.load(weights_only=True)` can read back."""
        return {
            "video": self.video,
            "target": self.target,
            "first": self.first,
            "share": self.share,
            BOXES_KEY: None if self.boxes is None else self.boxes.rows,
            "size": self.size,
            "edits": self.edits,
            "step": self.step,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Batch":
        """Return the batch that `to_dict` was called on."""
        fields = dict(content)
        rows = fields.pop(BOXES_KEY)
        return cls(**fields, boxes=None if rows is None else CropBoxes(rows))


def _copied(tensors: Sequence[Tensor], device: torch.device) -> list[Tensor]:
    """Copy tensors to a device; a GPU copies while it computes the previous step."""
    if device.type != "cuda":
        return [tensor.to(device) for tensor in tensors]
    # On the current stream the copy would wait for all kernels queued before it. On a stream of
    # its own it runs beside them, and only kernels queued from here on wait for it.
    stream, current = _copy_stream(device), torch.cuda.current_stream(device)
    with torch.cuda.stream(stream):
        copies = [tensor.to(device, non_blocking=True) for tensor in tensors]
    current.wait_stream(stream)
    for copy in copies:
        # The memory belongs to the copy stream. Without `record_stream`, torch's allocator would
        # give it to the next copy once Python drops the tensor, while kernels may still be reading
        # it.
        copy.record_stream(current)
    return copies


@functools.cache
def _copy_stream(device: torch.device) -> torch.cuda.Stream:
    """Return the stream for copies to a device, one per process."""
    return torch.cuda.Stream(device)
