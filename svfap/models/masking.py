"""Tube masks: the same sites hidden in every slice of the video (paper section 3.2)."""

import torch
from torch import Tensor

from svfap.errors import SvfapError


def hidden_sites(sites: int, ratio: float) -> int:
    """How many of a slice's sites are hidden: `ratio` of them, at least one and never all."""
    return min(max(round(ratio * sites), 1), sites - 1)


def tube_mask(batch: int, slices: int, sites: int, ratio: float) -> Tensor:
    """Random boolean mask (batch, slices * sites), True = masked, equal along time."""
    order = torch.rand(batch, sites).argsort(dim=1)
    mask = order < hidden_sites(sites, ratio)
    return mask[:, None].expand(-1, slices, -1).flatten(1)


def split_sites(mask: Tensor, slices: int) -> tuple[Tensor, Tensor]:
    """Indices of the visible and of the masked sites of each slice, in order.

    Args:
        mask: (B, slices * sites), True = masked.
        slices: number of slices.

    Returns:
        (B, slices, S_visible) and (B, slices, S_masked).

    Raises:
        SvfapError: the slices do not all hide equally many sites.
    """
    per_slice = mask.unflatten(1, (slices, -1))
    counts = per_slice.sum(dim=2)
    hidden, most = (int(count) for count in counts.aminmax())
    if hidden != most:
        raise SvfapError(
            f"the mask hides {hidden} sites in one slice and {most} in another; hide equally many"
            " in every slice of every clip"
        )
    order = per_slice.to(torch.int8).argsort(dim=2, stable=True)
    return order[..., : order.shape[2] - hidden], order[..., order.shape[2] - hidden :]
