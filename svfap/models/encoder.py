"""TPSBT: temporal pyramid and spatial bottleneck transformer (paper section 3.1)."""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from svfap.config import Activation, ModelConfig, Pool
from svfap.errors import SvfapError
from svfap.models.attentive import AttentivePool
from svfap.models.layers import (
    Block,
    CrossBlock,
    SpatialPool,
    TemporalConv,
    TemporalPool,
    sinusoid_positions,
)
from svfap.models.token_counts import pooled_width, token_grid
from svfap.models.tokens import fuse, patchify, take_sites


class Encoder(nn.Module):
    """The TPSBT encoder without a head; it returns the tokens of every stage.

    The first stage has plain transformer blocks. Each later stage lowers the frame rate and pools
    every frame into a few bottleneck tokens (paper eq. 5). In all its blocks but the last, the
    bottleneck tokens attend to the frame tokens; in the last block, the frame tokens attend to the
    bottleneck tokens (eq. 8).

    A token covers a tubelet of `tubelet` frames and `patch_size` x `patch_size` pixels. The tokens
    of the same frames form a slice; there are T' slices. The tokens at the same place in every
    slice form a site; there are S sites.

    Args:
        config: sizes of the encoder.
        drop_path: rate of stochastic depth in the last block; the rate grows linearly from 0 in the
            first block.
    """

    def __init__(self, config: ModelConfig, drop_path: float = 0.0) -> None:
        super().__init__()
        self.config, self.drop_path = config, drop_path
        self.slices, self.sites, self.patch_dim = token_grid(config)
        self.patch_embed = nn.Linear(self.patch_dim, config.dim)
        positions = sinusoid_positions(self.slices * self.sites, config.dim)
        self.positions: Tensor
        self.register_buffer("positions", positions, persistent=False)
        total, first = sum(config.depths), config.depths[0]
        later = CrossBlock if config.bottleneck else Block
        self.blocks = nn.ModuleList(
            (Block if index < first else later)(
                config.dim, config.heads, drop_path * index / max(total - 1, 1)
            )
            for index in range(total)
        )
        stages = range(1, len(config.depths))
        self.downsamples = nn.ModuleList(_downsample(config) for _ in stages)
        self.pools = nn.ModuleList(_spatial_pool(config, stage) for stage in stages)
        for module in self.modules():
            if isinstance(module, nn.LayerNorm):
                module.eps = config.norm_eps

    def forward(
        self, video: Tensor, visible: Tensor | None = None, draws: Tensor | None = None
    ) -> list[Tensor]:
        """Encode a video.

        Args:
            video: (B, 3, T, H, W), ImageNet-normalised.
            visible: (B, T', S_visible) indices of the sites of each slice that the encoder sees;
                None shows all of them.
            draws: (B, blocks, BRANCHES) uniform numbers for stochastic depth; None to draw them.

        Returns:
            Tokens of each stage: (B, T', S, C), (B, T' / 2, S, C), (B, T' / 4, S, C), where S
            counts the visible sites.

        Raises:
            SvfapError: the video is not of the size that the model was built for.
        """
        self._check_size(video)
        patches = patchify(video, self.config.tubelet, self.config.patch_size)
        positions = self.positions.unflatten(1, (self.slices, self.sites))
        if visible is not None:
            patches = take_sites(patches, visible)
            positions = take_sites(positions.expand(len(video), -1, -1, -1), visible)
        return self.stages(self.patch_embed(patches) + positions, draws)

    def stages(self, tokens: Tensor, draws: Tensor | None = None) -> list[Tensor]:
        """Run embedded tokens (B, T', S, C) through all stages; return the tokens of each."""
        blocks = [*self.blocks]
        drawn = [None] * len(blocks) if draws is None else draws.unbind(1)
        pairs = [*zip(blocks, drawn, strict=True)]
        outputs = [tokens]
        starts = accumulate(self.config.depths, initial=0)
        for stage, (start, end) in enumerate(pairwise(starts)):
            outputs.append(self._stage(stage, outputs[-1], pairs[start:end]))
        return outputs[1:]

    def _stage(
        self, stage: int, x: Tensor, blocks: Sequence[tuple[nn.Module, Tensor | None]]
    ) -> Tensor:
        """Run one stage: (B, T, S, C) becomes (B, T / 2, S, C), or (B, T, S, C) in the first."""
        if stage > 0:
            x = self.downsamples[stage - 1](x)
        tokens = x.flatten(1, 2)
        if stage > 0 and self.config.bottleneck:
            bottleneck = self.pools[stage - 1](x).flatten(1, 2)
            *earlier, (last, last_draws) = blocks
            for block, draws in earlier:
                bottleneck = block(bottleneck, tokens, draws)
            tokens = last(tokens, bottleneck, last_draws)
        else:
            for block, draws in blocks:
                tokens = block(tokens, draws=draws)
        out: Tensor = tokens.unflatten(1, (x.shape[1], -1))
        return out

    def _check_size(self, video: Tensor) -> None:
        """Refuse a video of another size, because the position embeddings would not fit."""
        size = self.config.image_size
        expected = (3, self.config.num_frames, size, size)
        if video.ndim != 5 or tuple(video.shape[1:]) != expected:
            raise SvfapError(
                f"the model takes videos of shape (B, {', '.join(map(str, expected))}),"
                f" not {tuple(video.shape)}; change model.image_size or model.num_frames"
            )


def _downsample(config: ModelConfig) -> nn.Module:
    """Make the layer with which a later stage lowers the frame rate."""
    if config.pyramid == "none":
        return nn.Identity()
    if config.pyramid == "conv":
        return TemporalConv(config.dim, config.temporal_kernel)
    return TemporalPool(config.temporal_kernel, config.pyramid)


def _spatial_pool(config: ModelConfig, stage: int) -> nn.Module:
    """Make the layer with which a later stage pools its bottleneck tokens (paper eq. 5)."""
    if not config.bottleneck:
        return nn.Identity()
    # Without a pyramid, a stage keeps all slices. Pooling several slices together gives as many
    # bottleneck tokens as with a pyramid.
    frames = config.temporal_kernel**stage if config.pyramid == "none" else 1
    return SpatialPool(config.dim, config.bottleneck_tokens, frames)


class VideoModel(nn.Module):
    """Encoder, pool, LayerNorm and a linear head (paper section 4.1: a global average pool).

    Args:
        config: sizes of the encoder.
        num_classes: number of outputs; 0 for no head, so that the model returns embeddings.
        drop_path: rate of stochastic depth in the last block; the rate grows linearly from 0 in the
            first block.
        activation: function applied to the outputs, for regressed values of limited range.
        per_frame: whether to return an output per frame; the pool is then not over time.
        fusion: whether to pool the sum of all stages instead of the last stage (an ablation).
        pool: how to pool the tokens: their mean, the mean over time at each site, or by attention.
            The number of features F is S * C with "sites", and C otherwise.
    """

    HEAD_INIT_SCALE = 0.001  # not in the paper; from the authors' fine-tuning code
    ACTIVATIONS: ClassVar = {"none": nn.Identity, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}

    def __init__(
        self,
        config: ModelConfig,
        num_classes: int,
        drop_path: float = 0.0,
        *,
        activation: Activation = "none",
        per_frame: bool = False,
        fusion: bool = False,
        pool: Pool = "mean",
    ) -> None:
        super().__init__()
        self.num_classes, self.per_frame, self.fusion = num_classes, per_frame, fusion
        self.encoder = Encoder(config, drop_path)
        self.pool = AttentivePool(config.dim, config.heads) if pool == "attention" else None
        self.by_site, width = pool == "sites", pooled_width(config, pool)
        self.fc_norm = nn.LayerNorm(width, eps=config.norm_eps)
        self.head = nn.Linear(width, num_classes) if num_classes else nn.Identity()
        self.activation = self.ACTIVATIONS[activation]()
        initialise(self)
        if isinstance(self.head, nn.Linear):
            nn.init.trunc_normal_(self.head.weight, std=0.02)
            self.head.weight.data.mul_(self.HEAD_INIT_SCALE)

    def forward_features(self, video: Tensor, draws: Tensor | None = None) -> Tensor:
        """Embed a video.

        Args:
            video: (B, 3, T, H, W), ImageNet-normalised.
            draws: (B, blocks, BRANCHES) uniform numbers for stochastic depth; None to draw them.

        Returns:
            (B, F); with `per_frame` (B, T, F), interpolated between the slices of the last stage.
        """
        tokens = self.tokens(video, draws)
        if self.per_frame:
            slices = self.pooled(tokens.flatten(0, 1)[:, None]).unflatten(0, tokens.shape[:2])
            features = F.interpolate(slices.mT, size=video.shape[2], mode="linear").mT
        else:
            features = self.pooled(tokens)
        out: Tensor = self.fc_norm(features)
        return out

    def tokens(self, video: Tensor, draws: Tensor | None = None) -> Tensor:
        """Encode a video into the tokens (B, T, S, C) that are pooled; arguments as above."""
        outputs = self.encoder(video, draws=draws)
        return fuse(outputs) if self.fusion else outputs[-1]

    def pooled(self, tokens: Tensor) -> Tensor:
        """Pool tokens (B, T, S, C) to (B, F)."""
        if self.pool is None:
            slices = tokens.flatten(2) if self.by_site else tokens.mean(dim=2)
            return slices.mean(dim=1)
        pooled: Tensor = self.pool(tokens.flatten(1, 2))
        return pooled

    def forward(self, video: Tensor, draws: Tensor | None = None) -> Tensor:
        """Compute logits or regressed values.

        Args:
            video: (B, 3, T, H, W), ImageNet-normalised.
            draws: as in `forward_features`.

        Returns:
            (B, num_classes); with `per_frame` (B, T, num_classes).
        """
        return self.forward_head(self.forward_features(video, draws))

    def forward_head(self, features: Tensor) -> Tensor:
        """Turn features (..., F) into logits or regressed values (..., num_classes)."""
        out: Tensor = self.activation(self.head(features))
        return out


def initialise(model: nn.Module) -> None:
    """Set Xavier-uniform weights and zero biases in every linear layer."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
