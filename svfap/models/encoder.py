"""TPSBT: temporal pyramid and spatial bottleneck transformer (paper section 3.1)."""

from collections.abc import Sequence
from itertools import accumulate, pairwise

from torch import Tensor, nn

from svfap.config import ModelConfig
from svfap.errors import SvfapError
from svfap.models.gradients import oriented_gradients
from svfap.models.layers import Block, CrossBlock, SpatialPool, TemporalConv, TemporalPool, run
from svfap.models.positions import FixedPositions, follow_weights
from svfap.models.token_counts import token_grid
from svfap.models.tokens import patchify, take_sites


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
        self.in_chans, self.grad_checkpointing = 3, False
        self.slices, self.sites, self.patch_dim, features = token_grid(config)
        self.patch_embed = nn.Linear(features, config.dim)
        self.positions = FixedPositions(self.slices * self.sites, config.dim)
        self.register_load_state_dict_post_hook(follow_weights)  # type: ignore[no-untyped-call]
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
        self,
        video: Tensor,
        visible: Tensor | None = None,
        draws: Tensor | None = None,
        stop: int | None = None,
    ) -> list[Tensor]:
        """Encode a video.

        Args:
            video: (B, 3, T, H, W), ImageNet-normalised.
            visible: (B, T', S_visible) indices of the sites of each slice that the encoder sees;
                None shows all of them.
            draws: (B, blocks, BRANCHES) uniform numbers for stochastic depth; None to draw them.
            stop: number of stages to run; None for all of them.

        Returns:
            Tokens of each stage: (B, T', S, C), (B, T' / 2, S, C), (B, T' / 4, S, C), where S
            counts the visible sites.

        Raises:
            SvfapError: the video is not of the size that the model was built for.
        """
        self._check_size(video)
        patches = patchify(video, self.config.tubelet, self.config.patch_size)
        positions = self.positions.table.unflatten(1, (self.slices, self.sites))
        if visible is not None:
            patches = take_sites(patches, visible)
            positions = take_sites(positions.expand(video.shape[0], -1, -1, -1), visible)
        if self.config.patch_features == "gradients":
            patches = oriented_gradients(patches, self.config)
        return self.stages(self.patch_embed(patches) + positions, draws, stop)

    def stages(
        self, tokens: Tensor, draws: Tensor | None = None, stop: int | None = None
    ) -> list[Tensor]:
        """Run embedded tokens (B, T', S, C) through the stages; return the tokens of each."""
        blocks = [*self.blocks]
        drawn = [None] * len(blocks) if draws is None else draws.unbind(1)
        pairs = [*zip(blocks, drawn, strict=True)]
        outputs = [tokens]
        starts = accumulate(self.config.depths[:stop], initial=0)
        for stage, (start, end) in enumerate(pairwise(starts)):
            outputs.append(self._stage(stage, outputs[-1], pairs[start:end]))
        return outputs[1:]

    def _stage(
        self, stage: int, x: Tensor, blocks: Sequence[tuple[nn.Module, Tensor | None]]
    ) -> Tensor:
        """Run one stage: (B, T, S, C) becomes (B, T / 2, S, C), or (B, T, S, C) in the first."""
        if stage > 0:
            x = self.downsamples[stage - 1](x)
        tokens, recompute = x.flatten(1, 2), self.grad_checkpointing
        if stage > 0 and self.config.bottleneck:
            bottleneck = self.pools[stage - 1](x).flatten(1, 2)
            *earlier, (last, last_draws) = blocks
            for block, draws in earlier:
                bottleneck = run(block, bottleneck, tokens, draws=draws, recompute=recompute)
            tokens = run(last, tokens, bottleneck, draws=last_draws, recompute=recompute)
        else:
            for block, draws in blocks:
                tokens = run(block, tokens, draws=draws, recompute=recompute)
        out: Tensor = tokens.unflatten(1, (x.shape[1], -1))
        return out

    def keep_stages(self, count: int) -> None:
        """Remove all stages but the first ones."""
        depths = self.config.depths[:count]
        self.config = self.config.model_copy(update={"depths": depths})
        self.blocks = self.blocks[: sum(depths)]
        self.downsamples, self.pools = self.downsamples[: count - 1], self.pools[: count - 1]

    def set_channels(self, count: int) -> None:
        """Take videos of another number of channels, with a new patch embedding."""
        self.patch_dim = self.patch_dim // self.in_chans * count
        self.in_chans = count
        if self.config.patch_features == "pixels":
            self.patch_embed = nn.Linear(self.patch_dim, self.config.dim)
            initialise(self.patch_embed)

    def set_side(self, pixels: int) -> None:
        """Take pictures of another side; only the positions depend on it."""
        self.config = self.config.model_copy(update={"image_size": pixels})
        self.slices, self.sites, *_ = token_grid(self.config)
        self.positions.resize(self.slices * self.sites)

    def _check_size(self, video: Tensor) -> None:
        """Refuse a video of another size, because the position embeddings would not fit."""
        size = self.config.image_size
        expected = (self.in_chans, self.config.num_frames, size, size)
        if video.ndim != 5 or tuple(video.shape[1:]) != expected:
            raise SvfapError(
                f"the model takes videos of shape (B, {', '.join(map(str, expected))}),"
                f" not {tuple(video.shape)}; change the video, or build the model for it"
                " (img_size and num_frames in timm, model.image_size and model.num_frames in a"
                " configuration)"
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


def initialise(model: nn.Module) -> None:
    """Set Xavier-uniform weights and zero biases in every linear layer."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
