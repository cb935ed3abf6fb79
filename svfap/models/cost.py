"""Parameters, multiply-adds and activation memory of the models, by formula and without torch.

Multiply-adds are counted as in the paper, which writes them as FLOPs: products of matrices,
attention included, and five operations for each value of a LayerNorm; activation functions and
softmax count as 0. `tests/models/test_cost.py` compares the formulas with torch's own count.

Activation memory is the size of the tensors that a training step under bfloat16 autocast keeps for
the backward pass. A value takes 2 bytes as input of a linear layer, of the MLP's GELU or of the
attention product; a tensor that feeds three layers is converted and kept three times. A value takes
4 bytes as input of a LayerNorm, which stays float32.
"""

from dataclasses import dataclass

from svfap.config import FinetuneConfig, LoraConfig, ModelConfig, Pool
from svfap.models.token_counts import (
    POOL_HIDDEN,
    hidden_sites,
    pooled_width,
    target_count,
    token_grid,
)

NORM_OPERATIONS = 5
BF16_BYTES, FP32_BYTES = 2, 4  # bytes of a bfloat16 and of a float32 value
MLP_RATIO = 4  # width of a block's MLP, in widths of its tokens


@dataclass(frozen=True)
class Cost:
    """The cost of a model or of a part of it.

    Attributes:
        parameters: number of parameters.
        multiply_adds: multiply-adds of one clip's forward pass.
        activation_bytes: bytes kept for the backward pass of one clip.
    """

    parameters: int = 0
    multiply_adds: int = 0
    activation_bytes: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.parameters + other.parameters,
            self.multiply_adds + other.multiply_adds,
            self.activation_bytes + other.activation_bytes,
        )

    def __mul__(self, count: int) -> "Cost":
        return Cost(
            self.parameters * count, self.multiply_adds * count, self.activation_bytes * count
        )


def finetune_cost(config: ModelConfig, num_classes: int, pool: Pool = "mean") -> Cost:
    """Return the cost of the classifier (table 7 and the ablations: "Params" and "FLOPs")."""
    encoder = _encoder(config, token_grid(config).sites)
    return encoder + _head(config, num_classes, pool) + _clip(config)


def trained_parameters(config: ModelConfig, num_classes: int, settings: FinetuneConfig) -> int:
    """Return the number of parameters that fine-tuning trains, as `training.tuning` chooses them.

    LoRA trains its updates, which a finished model has absorbed, and the head.
    """
    head = _head(config, num_classes, settings.pool).parameters
    if settings.tune == "probe":
        return head
    if settings.tune == "lora":
        return head + _update_parameters(config, settings.lora)
    whole = finetune_cost(config, num_classes, settings.pool).parameters
    if not settings.freeze:
        return whole
    # The frozen part is an encoder that ends after the frozen blocks.
    kept, depths = settings.freeze, []
    for depth in config.depths:
        depths += [min(depth, kept)] if kept else []
        kept -= min(depth, kept)
    first = config.model_copy(update={"depths": tuple(depths)})
    return whole - _encoder(first, token_grid(config).sites).parameters


def _head(config: ModelConfig, num_classes: int, pool: Pool) -> Cost:
    """Return the cost of pool, norm and linear layer."""
    dim, (slices, sites, *_) = config.dim, token_grid(config)
    width = pooled_width(config, pool)
    head = _norm(1, width) + _linear(1, width, num_classes)
    if pool != "attention":
        return head
    if config.pyramid != "none":
        slices //= config.temporal_kernel ** (len(config.depths) - 1)
    tokens, mlp = slices * sites, _mlp(1, dim, MLP_RATIO * dim, dim)
    attention = _norm(tokens, dim) + _attention(1, tokens, dim) + _norm(1, dim)
    return head + Cost(parameters=dim) + attention + mlp


def _update_parameters(config: ModelConfig, lora: LoraConfig) -> int:
    """Return the number of parameters of LoRA's updates: inputs and outputs, times the rank."""
    first, later = config.depths[0], sum(config.depths[1:])
    attentions = first + later * (2 if config.bottleneck else 1)  # a bottleneck block has two
    count = 0
    for target in {*lora.targets}:
        mlp = target in ("fc1", "fc2")
        ends = (1 + MLP_RATIO if mlp else 2) * config.dim
        count += lora.rank * ends * (first + later if mlp else attentions)
    return count


def pretrain_cost(config: ModelConfig, mask_ratio: float, target_fraction: float = 1) -> Cost:
    """Return the cost of the masked autoencoder (the ablations: "FLOPs-P").

    The cost is counted as in the paper. For the work of this model, subtract
    `skipped_multiply_adds`. Masked tokens that are not targets cost nothing.
    """
    slices, sites, values, features = token_grid(config)
    hidden = hidden_sites(sites, mask_ratio)
    visible, targets = slices * (sites - hidden), slices * target_count(hidden, target_fraction)
    dim, width = config.dim, config.decoder_dim
    parts = [
        _encoder(config, sites - hidden),
        Cost(multiply_adds=slices * hidden * features * dim),  # the embedding of masked patches
        _norm(visible, dim),
        Cost(
            dim * width, visible * dim * width, visible * dim * BF16_BYTES
        ),  # to_decoder, without a bias
        Cost(parameters=width),  # the mask token
        _block(visible + targets, width) * config.decoder_depth,
        _norm(targets, width),
        _linear(targets, width, values),
        Cost(activation_bytes=2 * targets * values * FP32_BYTES),  # predicted and true pixels
        _clip(config),
    ]
    return sum(parts, Cost())


def skipped_multiply_adds(
    config: ModelConfig, mask_ratio: float, target_fraction: float = 1
) -> int:
    """Return the multiply-adds of pre-training that the paper counts and this model skips.

    The paper embeds all patches before it drops the masked ones, and decodes visible tokens to the
    end. This model embeds the visible patches alone, and its last decoder block transforms the
    targets alone, which skips 0.74 G of 12.9 G at a mask ratio of 0.9.
    """
    slices, sites, _, features = token_grid(config)
    hidden, width = hidden_sites(sites, mask_ratio), config.decoder_dim
    visible, targets = slices * (sites - hidden), slices * target_count(hidden, target_fraction)
    # A block costs 12 * width**2 per token: 4 in attention, 8 in the MLP. In this model's last
    # block, a visible token needs only keys and values, which cost 2.
    token = 10 * width**2 + 2 * (visible + targets) * width + NORM_OPERATIONS * width
    return slices * hidden * features * config.dim + visible * token


def _encoder(config: ModelConfig, sites: int) -> Cost:
    """Return the cost of the encoder that sees `sites` sites of each slice."""
    dim, (slices, _, _, features) = config.dim, token_grid(config)
    total = _linear(slices * sites, features, dim)
    for stage, depth in enumerate(config.depths):
        if stage and config.pyramid != "none":
            slices //= config.temporal_kernel
            if config.pyramid == "conv":
                total += _linear(slices * sites, config.temporal_kernel * dim, dim)
        tokens = slices * sites
        if stage and config.bottleneck:
            # As in `Encoder`: bottleneck tokens attend to the stage's tokens in all blocks but the
            # last, which is reversed (eq. 8).
            merged = config.temporal_kernel**stage if config.pyramid == "none" else 1
            bottlenecks = slices // merged * config.bottleneck_tokens
            total += _spatial_pool(tokens, config)
            total += _cross_block(bottlenecks, tokens, dim) * (depth - 1)
            total += _cross_block(tokens, bottlenecks, dim)
        else:
            total += _block(tokens, dim) * depth
    return total


def _block(tokens: int, dim: int) -> Cost:
    mlp = _mlp(tokens, dim, MLP_RATIO * dim, dim)
    return _norm(tokens, dim) * 2 + _attention(tokens, tokens, dim) + mlp


def _cross_block(tokens: int, context: int, dim: int) -> Cost:
    cross = _norm(tokens, dim) + _norm(context, dim) + _attention(tokens, context, dim)
    return cross + _block(tokens, dim)


def _attention(queries: int, context: int, dim: int) -> Cost:
    """Return the cost of the four projections (keys have no bias) and of the two products."""
    return Cost(
        4 * dim**2 + 3 * dim,
        2 * dim**2 * (queries + context) + 2 * queries * context * dim,
        # A query is kept 3 times: as input, projected, and attended, which the product and the last
        # projection share. A context token is kept 4 times: as input of the keys' projection and of
        # the values' projection, and both projected.
        BF16_BYTES * dim * (3 * queries + 4 * context),
    )


def _spatial_pool(tokens: int, config: ModelConfig) -> Cost:
    dim, bottlenecks = config.dim, config.bottleneck_tokens
    weights = _norm(tokens, dim) + _mlp(tokens, dim, POOL_HIDDEN, bottlenecks)
    # The weighted sum keeps its weights and the converted tokens; softmax keeps float32.
    kept = tokens * (BF16_BYTES * bottlenecks + BF16_BYTES * dim + FP32_BYTES * bottlenecks)
    return weights + Cost(multiply_adds=tokens * bottlenecks * dim, activation_bytes=kept)


def _mlp(tokens: int, inputs: int, hidden: int, outputs: int) -> Cost:
    gelu = Cost(activation_bytes=tokens * hidden * BF16_BYTES)
    return _linear(tokens, inputs, hidden) + gelu + _linear(tokens, hidden, outputs)


def _linear(tokens: int, inputs: int, outputs: int) -> Cost:
    return Cost(inputs * outputs + outputs, tokens * inputs * outputs, tokens * inputs * BF16_BYTES)


def _norm(tokens: int, dim: int) -> Cost:
    return Cost(2 * dim, NORM_OPERATIONS * tokens * dim, tokens * dim * FP32_BYTES)


def _clip(config: ModelConfig) -> Cost:
    """Return the memory of the clip's pixels, in [0, 1] and normalised."""
    values = 3 * config.num_frames * config.image_size**2
    return Cost(activation_bytes=2 * values * FP32_BYTES)
