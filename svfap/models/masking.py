"""Tube masks: the same sites hidden in every slice of the video (paper section 3.2)."""

import torch
from torch import Tensor


def tube_mask(batch: int, slices: int, sites: int, ratio: float) -> Tensor:
    """Random boolean mask (batch, slices * sites), True = masked, equal along time.

    `round(ratio * sites)` sites are hidden, at least one and never all.
    """
    hidden = min(max(round(ratio * sites), 1), sites - 1)
    order = torch.rand(batch, sites).argsort(dim=1)
    mask = order < hidden
    return mask[:, None].expand(-1, slices, -1).flatten(1)


def split_sites(mask: Tensor, slices: int) -> tuple[Tensor, Tensor]:
    """Indices of the visible and of the masked sites of each slice, in order.

    Args:
        mask: (B, slices * sites), True = masked.
        slices: number of slices.

    Returns:
        (B, slices, S_visible) and (B, slices, S_masked).
    """
    per_slice = mask.unflatten(1, (slices, -1))
    hidden = int(per_slice[0, 0].sum())
    order = per_slice.to(torch.int8).argsort(dim=2, stable=True)
    return order[..., : order.shape[2] - hidden], order[..., order.shape[2] - hidden :]
