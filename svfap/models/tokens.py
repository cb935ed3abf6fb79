"""Tokens of a video: cut it into tubelets, select sites, add up the tokens of all stages."""

from collections.abc import Sequence

from torch import Tensor


def patchify(video: Tensor, tubelet: int, patch: int) -> Tensor:
    """Cut a video (B, 3, T, H, W) into tubelets (B, T', S, 3 * tubelet * patch**2)."""
    b, c, t, h, w = video.shape
    x: Tensor = video.reshape(b, c, t // tubelet, tubelet, h // patch, patch, w // patch, patch)
    x = x.permute(0, 2, 4, 6, 1, 3, 5, 7)
    size = c * tubelet * patch**2  # -1 has no meaning for an empty batch
    tokens: Tensor = x.reshape(b, t // tubelet, (h // patch) * (w // patch), size)
    return tokens


def take_sites(tokens: Tensor, sites: Tensor) -> Tensor:
    """Take the tokens at some sites of each slice.

    Args:
        tokens: (B, T', S, C).
        sites: (B, T', S_taken) indices into the S sites of each slice.

    Returns:
        (B, T', S_taken, C).
    """
    return tokens.gather(2, sites[..., None].expand(-1, -1, -1, tokens.shape[-1]))


def fuse(outputs: Sequence[Tensor]) -> Tensor:
    """Add up all stages, repeating slower ones to the number of slices of the first (paper eq. 9).

    Args:
        outputs: tokens of each stage: (B, T', S, C), (B, T' / 2, S, C), ...

    Returns:
        (B, T', S, C).
    """
    total, *later = outputs
    for tokens in later:
        total = total + tokens.repeat_interleave(total.shape[1] // tokens.shape[1], dim=1)
    return total
