"""Tube masks: the same sites are hidden in every slice of a video (paper section 3.2)."""

import torch
from torch import Tensor

from svfap.errors import SvfapError
from svfap.models.token_counts import hidden_sites, target_count


def tube_sites(draws: Tensor, slices: int, ratio: float) -> tuple[Tensor, Tensor]:
    """Choose visible and masked sites of each clip, the same in every slice.

    The shapes of the result follow from the shapes of the arguments alone, so `torch.compile` needs
    one graph.

    Args:
        draws: (B, S) uniform numbers in [0, 1), which decide.
        slices: number of slices.
        ratio: share of the sites to mask.

    Returns:
        (B, slices, S_visible) and (B, slices, S_masked) indices in ascending order.
    """
    sites = draws.shape[1]
    hidden = hidden_sites(sites, ratio)
    permutation = draws.argsort(dim=1)
    # A stable sort by "is hidden" puts visible sites first and keeps both groups in order.
    order = (permutation < hidden).to(torch.int8).argsort(dim=1, stable=True)
    tube = order[:, None].expand(-1, slices, -1)
    return tube[..., : sites - hidden], tube[..., sites - hidden :]


def target_sites(masked: Tensor, draws: Tensor, share: float) -> Tensor:
    """Choose the masked sites of each slice that are decoded and scored; the others are dropped.

    Args:
        masked: (B, slices, S_masked).
        draws: uniform numbers in [0, 1) of the same shape, which decide.
        share: share of the masked sites to keep; at least one is kept.

    Returns:
        (B, slices, S_target) in the order of `masked`.
    """
    count = target_count(masked.shape[2], share)
    if count == masked.shape[2]:
        return masked
    chosen = draws.argsort(dim=2)[..., :count]
    return masked.gather(2, chosen.sort(dim=2).values)


def split_sites(mask: Tensor, slices: int) -> tuple[Tensor, Tensor]:
    """List the visible and the masked sites of each slice in ascending order.

    Args:
        mask: (B, slices * sites), True = masked.
        slices: number of slices.

    Returns:
        (B, slices, S_visible) and (B, slices, S_masked).

    Raises:
        SvfapError: slices differ in their number of masked sites.
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
