"""Count the tokens that each part of a model handles, for the models and for their cost.

This module does not import torch, so that `svfap plan` and the stage `cost` start at once.
"""

from typing import NamedTuple

from svfap.config import ModelConfig

ORIENTATIONS = 8  # directions of a histogram of gradients
CELLS = 2  # histograms along a side of a patch
POOL_HIDDEN = 128  # width of the spatial pool's MLP, as in the authors' checkpoints


class TokenGrid(NamedTuple):
    """How a clip is cut into tokens.

    Attributes:
        slices: number of slices of a clip, T'.
        sites: number of tokens of a slice, S.
        values: number of pixel values of a token, in 3 channels.
        features: number of values that the encoder embeds of a token.
    """

    slices: int
    sites: int
    values: int
    features: int


def token_grid(config: ModelConfig) -> TokenGrid:
    """Return the grid of tokens before any is masked."""
    slices = config.num_frames // config.tubelet
    sites = (config.image_size // config.patch_size) ** 2
    values = 3 * config.tubelet * config.patch_size**2
    gradients = config.tubelet * ORIENTATIONS * CELLS**2
    features = gradients if config.patch_features == "gradients" else values
    return TokenGrid(slices, sites, values, features)


def pooled_width(config: ModelConfig, pool: str) -> int:
    """Return how many values the head reads of a clip: C, or C of each site."""
    return config.dim * (token_grid(config).sites if pool == "sites" else 1)


def hidden_sites(sites: int, ratio: float) -> int:
    """Return how many sites of a slice are masked: `ratio` of them, at least one, never all."""
    return min(max(round(ratio * sites), 1), sites - 1)


def target_count(hidden: int, share: float) -> int:
    """Return how many masked sites of a slice are decoded: `share` of them, at least one."""
    return max(round(share * hidden), 1)
