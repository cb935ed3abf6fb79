"""TPSBT: temporal pyramid and spatial bottleneck transformer (paper section 3.1)."""

from collections.abc import Sequence

from torch import Tensor, nn

from svfap.config import ModelConfig
from svfap.errors import SvfapError
from svfap.models.layers import (
    Block,
    CrossBlock,
    SpatialPool,
    TemporalDownsample,
    norm,
    sinusoid_positions,
)


def patchify(video: Tensor, tubelet: int, patch: int) -> Tensor:
    """Cut a video (B, 3, T, H, W) into tubelets (B, T', S, 3 * tubelet * patch**2)."""
    b, c, t, h, w = video.shape
    x: Tensor = video.reshape(b, c, t // tubelet, tubelet, h // patch, patch, w // patch, patch)
    x = x.permute(0, 2, 4, 6, 1, 3, 5, 7)
    tokens: Tensor = x.reshape(b, t // tubelet, (h // patch) * (w // patch), -1)
    return tokens


class BottleneckStage(nn.Module):
    """Stages 2 and 3: fewer frames, and most of the work done on few tokens per frame.

    `depth - 1` blocks update the bottleneck tokens from the frame tokens; the last block hands
    what they gathered back to the frame tokens (paper eq. 8: its context is the bottleneck).
    """

    def __init__(self, dim: int, heads: int, tokens: int, drop_paths: Sequence[float]) -> None:
        super().__init__()
        self.downsample = TemporalDownsample(dim)
        self.pool = SpatialPool(dim, tokens)
        self.blocks = nn.ModuleList(CrossBlock(dim, heads, rate) for rate in drop_paths)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, S, C) gives (B, T / 2, S, C)."""
        x = self.downsample(x)
        slices = x.shape[1]
        tokens, bottleneck = x.flatten(1, 2), self.pool(x).flatten(1, 2)
        for block in self.blocks[:-1]:
            bottleneck = block(bottleneck, tokens)
        tokens = self.blocks[-1](tokens, bottleneck)
        out: Tensor = tokens.unflatten(1, (slices, -1))
        return out


class Encoder(nn.Module):
    """The TPSBT encoder without head: tokens of every stage."""

    def __init__(self, config: ModelConfig, drop_path: float = 0.0) -> None:
        super().__init__()
        self.config = config
        self.slices = config.num_frames // config.tubelet
        self.sites = (config.image_size // config.patch_size) ** 2
        self.patch_dim = 3 * config.tubelet * config.patch_size**2
        self.patch_embed = nn.Linear(self.patch_dim, config.dim)
        positions = sinusoid_positions(self.slices * self.sites, config.dim)
        self.positions: Tensor
        self.register_buffer("positions", positions, persistent=False)
        total = sum(config.depths)
        rates = [drop_path * block / max(total - 1, 1) for block in range(total)]
        first, *others = config.depths
        self.blocks = nn.ModuleList(Block(config.dim, config.heads, r) for r in rates[:first])
        self.stages = nn.ModuleList()
        for number, depth in enumerate(others):
            done = first + sum(others[:number])
            stage_rates = rates[done : done + depth]
            self.stages.append(
                BottleneckStage(config.dim, config.heads, config.bottleneck_tokens, stage_rates)
            )

    def forward(self, video: Tensor, visible: Tensor | None = None) -> list[Tensor]:
        """Encode a video.

        Args:
            video: (B, 3, T, H, W), ImageNet-normalised.
            visible: (B, T', S_visible) positions of the tokens that the encoder may see, as
                indices into the S sites of each slice; None shows all of them.

        Returns:
            Tokens of each stage: (B, T', S, C), (B, T' / 2, S, C), (B, T' / 4, S, C), where S
            counts the visible sites.

        Raises:
            SvfapError: the video does not have the size that the model was built for.
        """
        self._check(video)
        patches = patchify(video, self.config.tubelet, self.config.patch_size)
        positions = self.positions.unflatten(1, (self.slices, self.sites))
        if visible is not None:
            patches = patches.gather(2, visible[..., None].expand(-1, -1, -1, patches.shape[-1]))
            positions = positions.expand(len(video), -1, -1, -1)
            positions = positions.gather(2, visible[..., None].expand(-1, -1, -1, self.config.dim))
        x = self.patch_embed(patches) + positions
        tokens = x.flatten(1, 2)
        for block in self.blocks:
            tokens = block(tokens)
        outputs = [tokens.unflatten(1, (self.slices, -1))]
        for stage in self.stages:
            outputs.append(stage(outputs[-1]))
        return outputs

    def _check(self, video: Tensor) -> None:
        size = self.config.image_size
        expected = (3, self.config.num_frames, size, size)
        if video.ndim != 5 or tuple(video.shape[1:]) != expected:
            raise SvfapError(
                f"the model takes videos of shape (B, {', '.join(map(str, expected))}),"
                f" not {tuple(video.shape)}; change model.image_size or model.num_frames"
            )


class VideoModel(nn.Module):
    """Encoder, global average pool of the last stage, LayerNorm and a linear head."""

    HEAD_INIT_SCALE = 0.001

    def __init__(self, config: ModelConfig, num_classes: int, drop_path: float = 0.0) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.encoder = Encoder(config, drop_path)
        self.fc_norm = norm(config.dim)
        self.head = nn.Linear(config.dim, num_classes) if num_classes else nn.Identity()
        initialise(self)
        if isinstance(self.head, nn.Linear):
            nn.init.trunc_normal_(self.head.weight, std=0.02)
            self.head.weight.data.mul_(self.HEAD_INIT_SCALE)

    def forward_features(self, video: Tensor) -> Tensor:
        """Clip embedding (B, C) of a normalised video (B, 3, T, H, W)."""
        features: Tensor = self.fc_norm(self.encoder(video)[-1].mean(dim=(1, 2)))
        return features

    def forward(self, video: Tensor) -> Tensor:
        """Logits or regressed values (B, num_classes) of a normalised video (B, 3, T, H, W)."""
        out: Tensor = self.head(self.forward_features(video))
        return out


def initialise(model: nn.Module) -> None:
    """Xavier-uniform weights and zero biases in every linear layer."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
