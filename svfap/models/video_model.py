"""The model that classifies or rates a video: encoder, pool and head (paper section 4.1)."""

from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from svfap.config import Activation, ModelConfig, Pool
from svfap.errors import SvfapError
from svfap.models.attentive import AttentivePool
from svfap.models.encoder import Encoder, initialise
from svfap.models.timm_interface import TimmInterface, check_count, reset_parameters
from svfap.models.token_counts import pooled_width
from svfap.models.tokens import fuse

# timm's names of the pools; an empty name keeps all tokens.
POOLS = {"avg": "mean", "map": "attention", "sites": "sites", "": ""}


class VideoModel(TimmInterface):
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
        check_count("num_classes", num_classes, least=0)
        self.num_classes, self.per_frame, self.fusion = num_classes, per_frame, fusion
        self.encoder = Encoder(config, drop_path)
        self._make_pool(pool)
        self.head_drop = nn.Dropout(0.0)
        self.head = nn.Linear(self.head_hidden_size, num_classes) if num_classes else nn.Identity()
        self.activation = self.ACTIVATIONS[activation]()
        self._initialise()

    def init_weights(self, mode: str = "", needs_reset: bool = True) -> None:
        """Set random weights again, for instance after `to_empty`.

        Args:
            mode: no effect.
            needs_reset: whether norms and biases may hold anything, as after `to_empty`.
        """
        if needs_reset:
            reset_parameters(self)
        self._initialise()

    def _initialise(self) -> None:
        initialise(self)
        self._initialise_head()

    def _initialise_head(self) -> None:
        if isinstance(self.head, nn.Linear):
            nn.init.trunc_normal_(self.head.weight, std=0.02)
            self.head.weight.data.mul_(self.HEAD_INIT_SCALE)
            nn.init.zeros_(self.head.bias)

    def _make_pool(self, pool: str) -> None:
        config = self.encoder.config
        self.pool_kind = pool
        self.pool = AttentivePool(config.dim, config.heads) if pool == "attention" else None
        self.fc_norm = nn.LayerNorm(pooled_width(config, pool), eps=config.norm_eps)

    @property
    def head_hidden_size(self) -> int:
        """Number of features that the head reads, F."""
        return pooled_width(self.encoder.config, self.pool_kind)

    @property
    def global_pool(self) -> str:
        """Timm's name of the pool."""
        return pool_name(self.pool_kind)

    def set_input_size(self, img_size: Any = None, patch_size: Any = None) -> None:  # noqa: ANN401
        """Take videos of another height and width; weights stay.

        Raises:
            SvfapError: the size does not fit the patches, or the head reads every site.
        """
        if self.pool_kind == "sites":
            raise SvfapError("img_size: the head reads every site, so it fits one size alone")
        super().set_input_size(img_size, patch_size)

    def get_classifier(self) -> nn.Module:
        """Return the head."""
        return self.head

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Make a new head, with random weights.

        Args:
            num_classes: number of outputs; 0 for no head.
            global_pool: one of `POOLS`, or None to keep the pool. An empty name pools nothing: the
                head then reads every token. A new kind of pool brings a new norm.

        Raises:
            SvfapError: the pool is unknown, or the number is none.
        """
        check_count("num_classes", num_classes, least=0)
        like = self.encoder.patch_embed.weight
        if global_pool is not None and pool_kind(global_pool) != self.pool_kind:
            self._make_pool(pool_kind(global_pool))
            if self.pool is not None:
                initialise(self.pool)
        self.num_classes = num_classes
        self.head = nn.Linear(self.head_hidden_size, num_classes) if num_classes else nn.Identity()
        for part in filter(None, (self.pool, self.fc_norm, self.head)):
            part.to(like).train(self.training)
        self._initialise_head()

    def forward_features(self, video: Tensor, draws: Tensor | None = None) -> Tensor:
        """Encode a video into tokens.

        Args:
            video: (B, 3, T, H, W), ImageNet-normalised.
            draws: (B, blocks, BRANCHES) uniform numbers for stochastic depth; None to draw them.

        Returns:
            (B, N, C): S tokens of each slice of the last stage.
        """
        return self.tokens(video, draws).flatten(1, 2)

    def forward_head(self, tokens: Tensor, pre_logits: bool = False) -> Tensor:
        """Turn tokens (B, N, C) into outputs as `forward`, or embeddings with `pre_logits`."""
        embeddings = self.embedded(tokens.unflatten(1, (-1, self.encoder.sites)))
        return self.head_drop(embeddings) if pre_logits else self.outputs(embeddings)

    def forward(self, video: Tensor, draws: Tensor | None = None) -> Tensor:
        """Compute logits or regressed values.

        Args:
            video: (B, 3, T, H, W), ImageNet-normalised.
            draws: as in `forward_features`.

        Returns:
            (B, num_classes); with `per_frame` (B, T, num_classes).
        """
        return self.outputs(self.embed(video, draws))

    def embed(self, video: Tensor, draws: Tensor | None = None) -> Tensor:
        """Embed a video.

        Args:
            video: (B, 3, T, H, W), ImageNet-normalised.
            draws: as in `forward_features`.

        Returns:
            (B, F); with `per_frame` (B, T, F), interpolated between the slices of the last stage.
        """
        return self.embedded(self.tokens(video, draws))

    def outputs(self, embeddings: Tensor) -> Tensor:
        """Turn embeddings (..., F) into logits or regressed values (..., num_classes)."""
        out: Tensor = self.activation(self.head(self.head_drop(embeddings)))
        return out

    def tokens(self, video: Tensor, draws: Tensor | None = None) -> Tensor:
        """Encode a video into the tokens (B, T, S, C) that are pooled; arguments as above."""
        return self._summed(self.encoder(video, draws=draws))

    def embedded(self, tokens: Tensor) -> Tensor:
        """Pool and norm tokens (B, T, S, C); returns as `embed`."""
        if self.per_frame and self.pool_kind:
            slices = self.pooled(tokens.flatten(0, 1)[:, None]).unflatten(0, tokens.shape[:2])
            frames = self.encoder.config.num_frames
            features = F.interpolate(slices.mT, size=frames, mode="linear").mT
        else:
            features = self.pooled(tokens)
        out: Tensor = self.fc_norm(features)
        return out

    def pooled(self, tokens: Tensor) -> Tensor:
        """Pool tokens (B, T, S, C) to (B, F), or to (B, T * S, C) if the kind of pool is ""."""
        if self.pool is not None:
            gathered: Tensor = self.pool(tokens.flatten(1, 2))
            return gathered
        if not self.pool_kind:
            return tokens.flatten(1, 2)
        slices = tokens.flatten(2) if self.pool_kind == "sites" else tokens.mean(dim=2)
        return slices.mean(dim=1)

    def summary(self, outputs: Sequence[Tensor]) -> Tensor:
        """Return the tokens that the head reads, (B, N, C), from all stages."""
        return self._summed(outputs).flatten(1, 2)

    def normed(self, tokens: Tensor) -> Tensor:
        """Apply the norm of the pooled features to tokens (..., C).

        Raises:
            SvfapError: the norm is one of the features of all sites.
        """
        if self.pool_kind == "sites":
            raise SvfapError("norm: a norm over all sites does not fit single tokens; leave it out")
        out: Tensor = self.fc_norm(tokens)
        return out

    def drop_norm(self) -> None:
        """Remove the norm of the pooled features."""
        self.register_module("fc_norm", nn.Identity())

    def drop_head(self) -> None:
        """Remove head and pool."""
        self.num_classes, self.head = 0, nn.Identity()
        self.pool_kind, self.pool = "", None

    def _summed(self, outputs: Sequence[Tensor]) -> Tensor:
        return fuse(outputs) if self.fusion else outputs[-1]


def pool_kind(name: str) -> str:
    """Return our name of a pool.

    Raises:
        SvfapError: the name is neither timm's nor ours.
    """
    if name not in (*POOLS, *POOLS.values()):
        raise SvfapError(
            f"global_pool: {name!r} is unknown; choose avg (the mean of all tokens), map"
            " (attention), sites (the mean over time at each site), or '' for no pool"
        )
    return POOLS.get(name, name)


def pool_name(kind: str) -> str:
    """Return timm's name of a pool."""
    return next(name for name, ours in POOLS.items() if ours == kind)
