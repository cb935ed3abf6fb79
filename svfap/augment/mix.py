"""Mixup and CutMix: blend each clip and its label with a partner's.

A step has one share and one box, as in timm's batch mode, and each clip's partner is near it in the
stream of draws. So a step does not depend on how it is divided into batches.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


class Blend(NamedTuple):
    """How the clips of a step are blended with their partners.

    Attributes:
        share: share of a clip in the result; the partner has the rest.
        box: first and last row, first and last column of the part that CutMix takes from the
            partner, each last one exclusive; None for mixup.
    """

    share: float
    box: tuple[int, int, int, int] | None


def draw_blend(
    mixup: float, cutmix: float, size: tuple[int, int], rng: np.random.Generator
) -> Blend:
    """Draw mixup or CutMix with equal probability, or the one whose alpha is above 0.

    Args:
        mixup: alpha of mixup's beta distribution; 0 for no mixup.
        cutmix: alpha of CutMix's beta distribution; 0 for no CutMix.
        size: height and width of the clips in pixels.
        rng: random generator of the step.
    """
    cut = cutmix > 0 and (mixup == 0 or rng.random() < 0.5)
    alpha = cutmix if cut else mixup
    share = float(rng.beta(alpha, alpha))
    if not cut:
        return Blend(share, None)
    bounds: list[int] = []
    for length in size:
        side = int(length * (1 - share) ** 0.5)
        start = int(rng.integers(length)) - side // 2
        bounds += [min(max(edge, 0), length) for edge in (start, start + side)]
    top, bottom, left, right = bounds
    # Part of the box may lie outside of the picture: count the pixels that remain.
    share = 1 - (bottom - top) * (right - left) / (size[0] * size[1])
    return Blend(share, (top, bottom, left, right))


def partners(count: int, block: int, device: torch.device) -> Tensor:
    """Return each clip's partner: the clip half a block on, within blocks of `block` clips.

    Args:
        count: number of clips; the last block may be shorter.
        block: number of clips of a block: twice the crops of a clip, so that partners differ.
        device: device of the result.

    Returns:
        (count,) indices.
    """
    index = torch.arange(count, device=device)
    start = index // block * block
    length = (count - start).clamp(max=block)
    return start + (index - start + length // 2) % length


def blend(values: Tensor, partner: Tensor, share: float) -> Tensor:
    """Blend values (B, ...) with the values of the partners (B,)."""
    return values.mul(share).add_(values[partner], alpha=1 - share)


def mix_clips(clips: Tensor, partner: Tensor, how: Blend) -> Tensor:
    """Blend clips (B, C, H, W) with their partners (B,); with CutMix this changes `clips`."""
    if how.box is None:
        return blend(clips, partner, how.share)
    top, bottom, left, right = how.box
    part = clips[..., top:bottom, left:right]
    part.copy_(part[partner])  # indexing copies, so source and target do not overlap
    return clips
