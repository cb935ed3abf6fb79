"""Histograms of oriented gradients of single patches (after Dalal and Triggs, 2005).

Few videos do not suffice to learn what an edge is. These histograms know it, and forget colour and
brightness. Each patch is described by its own pixels alone, so a masked patch tells nothing.
"""

import math

import torch
from torch import Tensor

from svfap.config import ModelConfig
from svfap.models.token_counts import CELLS, ORIENTATIONS

FAINT = 0.02  # of a patch's norm: it keeps noise in smooth patches from looking like edges


def oriented_gradients(patches: Tensor, config: ModelConfig) -> Tensor:
    """Describe each frame of each patch by histograms of the directions of its gradients.

    A pixel counts with its gradient's length, shared between the two nearest directions. The
    histograms of a patch are divided by their norm, and the root lowers the weight of strong edges.

    Args:
        patches: (..., channels * tubelet * patch_size**2) pixels.
        config: sizes of a patch.

    Returns:
        (..., tubelet * `ORIENTATIONS` * `CELLS`**2): -0.5 where no gradient points, 0.5 if all
        directions have equal shares.
    """
    side, cell = config.patch_size, config.patch_size // CELLS
    grey = patches.float().unflatten(-1, (-1, config.tubelet, side, side)).mean(-4)
    down, right = torch.gradient(grey, dim=(-2, -1))
    length = (right**2 + down**2).sqrt()
    # Opposite gradients have one direction: it does not matter which side of an edge is dark.
    direction = torch.atan2(down, right) * (ORIENTATIONS / math.pi)
    bins = torch.arange(ORIENTATIONS, device=grey.device).view(-1, 1, 1)
    half = ORIENTATIONS / 2
    distance = (direction.unsqueeze(-3) - bins + half).remainder(ORIENTATIONS) - half
    votes = (1 - distance.abs()).clamp(min=0) * length.unsqueeze(-3)
    cells = votes.unflatten(-1, (CELLS, cell)).unflatten(-3, (CELLS, cell)).mean((-1, -3))
    histograms = cells.flatten(-3)
    shares = histograms / (histograms.norm(dim=-1, keepdim=True) + FAINT)
    scale = shares.shape[-1] ** 0.25  # equal shares become 1
    features: Tensor = (shares.sqrt() * scale - 0.5).flatten(-2).to(patches.dtype)
    return features
