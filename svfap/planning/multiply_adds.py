"""Parameters and multiply-adds of the models by formula: what `svfap/models/cost.py` counts.

The formulas need no torch; tests hold them against the count.
"""

from dataclasses import dataclass

from svfap.config import ModelConfig

NORM = 5  # operations for a value of a LayerNorm
POOL_HIDDEN = 128


@dataclass(frozen=True)
class Sum:
    """Parameters, and multiply-adds of one clip's forward pass."""

    parameters: int = 0
    multiply_adds: int = 0

    def __add__(self, other: "Sum") -> "Sum":
        return Sum(self.parameters + other.parameters, self.multiply_adds + other.multiply_adds)

    def times(self, count: int) -> "Sum":
        """The same `count` times over."""
        return Sum(self.parameters * count, self.multiply_adds * count)


def finetune(config: ModelConfig, outputs: int, *, fusion: bool = False) -> Sum:
    """The classifier; `fusion` costs no product."""
    sites = _sites(config)
    head = _norm(1, config.dim) + _linear(1, config.dim, outputs)
    return _encoder(config, sites) + head


def pretrain(config: ModelConfig, mask_ratio: float) -> Sum:
    """The masked autoencoder, all patches embedded as the paper counts."""
    sites, slices = _sites(config), config.num_frames // config.tubelet
    hidden = min(max(round(mask_ratio * sites), 1), sites - 1)
    seen, dim, width = sites - hidden, config.dim, config.decoder_dim
    patch = _patch(config)
    parts = [
        _encoder(config, seen),
        Sum(0, slices * hidden * patch * dim),
        _norm(slices * seen, dim),
        Sum(dim * width, slices * seen * dim * width),
        Sum(width, 0),
        _block(slices * sites, width).times(config.decoder_depth),
        _norm(slices * hidden, width),
        _linear(slices * hidden, width, patch),
    ]
    return sum(parts, Sum())


def _encoder(config: ModelConfig, sites: int) -> Sum:
    dim, slices = config.dim, config.num_frames // config.tubelet
    total = _linear(slices * sites, _patch(config), dim)
    for stage, depth in enumerate(config.depths):
        if stage and config.pyramid != "none":
            slices //= config.temporal_kernel
            if config.pyramid == "conv":
                total += _linear(slices * sites, config.temporal_kernel * dim, dim)
        tokens = slices * sites
        if stage and config.bottleneck:
            merged = config.temporal_kernel**stage if config.pyramid == "none" else 1
            few = slices // merged * config.bottleneck_tokens
            total += _pool(tokens, config)
            total += _cross_block(few, tokens, dim).times(depth - 1)
            total += _cross_block(tokens, few, dim)
        else:
            total += _block(tokens, dim).times(depth)
    return total


def _block(tokens: int, dim: int) -> Sum:
    mlp = _linear(tokens, dim, 4 * dim) + _linear(tokens, 4 * dim, dim)
    return _norm(tokens, dim).times(2) + _attention(tokens, tokens, dim) + mlp


def _cross_block(tokens: int, context: int, dim: int) -> Sum:
    looks = _norm(tokens, dim) + _norm(context, dim) + _attention(tokens, context, dim)
    return looks + _block(tokens, dim)


def _attention(queries: int, context: int, dim: int) -> Sum:
    projections = 2 * dim * dim * (queries + context)
    return Sum(4 * dim * dim + 3 * dim, projections + 2 * queries * context * dim)


def _pool(tokens: int, config: ModelConfig) -> Sum:
    dim, few = config.dim, config.bottleneck_tokens
    weights = _linear(tokens, dim, POOL_HIDDEN) + _linear(tokens, POOL_HIDDEN, few)
    return _norm(tokens, dim) + weights + Sum(0, tokens * few * dim)


def _linear(tokens: int, inputs: int, outputs: int) -> Sum:
    return Sum(inputs * outputs + outputs, tokens * inputs * outputs)


def _norm(tokens: int, dim: int) -> Sum:
    return Sum(2 * dim, NORM * tokens * dim)


def _sites(config: ModelConfig) -> int:
    return (config.image_size // config.patch_size) ** 2


def _patch(config: ModelConfig) -> int:
    return 3 * config.tubelet * config.patch_size**2
