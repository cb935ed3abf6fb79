"""Masked autoencoder for pre-training: see 10 % of a video, predict 90 % (paper section 3.2)."""

from collections.abc import Sequence
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from svfap.config import ModelConfig
from svfap.errors import SvfapError
from svfap.models.encoder import Encoder, initialise
from svfap.models.layers import Block, norm, run
from svfap.models.masking import split_sites
from svfap.models.positions import FixedPositions, follow_weights
from svfap.models.timm_interface import NotApplicable, TimmInterface, reset_parameters
from svfap.models.tokens import fuse, patchify, take_sites

TARGET_EPS = 1e-6  # added to a patch's standard deviation; not in the paper, from the authors' code

_NO_CLASSIFIER = (
    "the masked autoencoder has no classifier; it predicts hidden patches by predict(video, mask)."
    " Use forward_features, forward_intermediates, or a model for fine-tuning such as"
    " svfap_base_patch16_160"
)
_NO_MASK = (
    "the masked autoencoder needs a video and a mask, as in predict(video, mask) with a tensor of"
    " shape (B, T' * S); forward_features(video) sees the whole video"
)


class Autoencoder(TimmInterface):
    """A TPSBT encoder for visible tokens and a light transformer decoder for all tokens.

    Args:
        config: sizes of encoder and decoder.
        fusion: whether to decode the sum of all stages (paper eq. 9) or only the last (an
            ablation).
    """

    num_classes = 0

    def __init__(self, config: ModelConfig, *, fusion: bool = True) -> None:
        super().__init__()
        self.fusion = fusion
        width = config.decoder_dim
        self.encoder = Encoder(config)
        self.norm = norm(config.dim)
        self.to_decoder = nn.Linear(config.dim, width, bias=False)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, 1, width))
        self.positions = FixedPositions(self.encoder.slices * self.encoder.sites, width)
        self.register_load_state_dict_post_hook(follow_weights)  # type: ignore[no-untyped-call]
        self.decoder = nn.ModuleList(
            Block(width, config.decoder_heads) for _ in range(config.decoder_depth)
        )
        self.decoder_norm = norm(width)
        self.head = nn.Linear(width, self.encoder.patch_dim)
        self.init_weights(needs_reset=False)

    def init_weights(self, mode: str = "", needs_reset: bool = True) -> None:
        """Set random weights again; arguments as in `VideoModel.init_weights`."""
        if needs_reset:
            reset_parameters(self)
        initialise(self)
        nn.init.trunc_normal_(self.mask_token, std=0.02)

    def encode(self, video: Tensor, visible: Tensor) -> Tensor:
        """Encode the visible tokens.

        Args:
            video: (B, 3, T, H, W), ImageNet-normalised.
            visible: (B, T', S_visible) sites of each slice that the encoder sees.

        Returns:
            (B, T', S_visible, C), all stages fused (paper eq. 9).
        """
        return self._encoded(self.encoder(video, visible))

    def _encoded(self, outputs: Sequence[Tensor]) -> Tensor:
        last = outputs[-1]
        repeated = last.repeat_interleave(self.encoder.slices // last.shape[1], dim=1)
        out: Tensor = self.norm(fuse(outputs) if self.fusion else repeated)
        return out

    def forward(
        self, video: Tensor, visible: Tensor | None = None, targets: Tensor | None = None
    ) -> Tensor:
        """Predict masked patches.

        All shapes follow from the shapes of the arguments, so `torch.compile` makes one graph. A
        boolean mask would break the graph, because the number of masked tokens would depend on
        data.

        Args:
            video: (B, 3, T, H, W), ImageNet-normalised.
            visible: (B, T', S_visible) sites of each slice that the encoder sees.
            targets: (B, T', S_target) sites to predict: some or all of the masked ones.

        Returns:
            (B, T' * S_target, tubelet * patch**2 * 3) normalised pixels, in the order of `targets`.

        Raises:
            SvfapError: the sites are missing.
        """
        if visible is None or targets is None:
            raise SvfapError(_NO_MASK)
        grid = (self.encoder.slices, self.encoder.sites)
        positions = self.positions.table.unflatten(1, grid).expand(video.shape[0], -1, -1, -1)
        seen = self.to_decoder(self.encode(video, visible)) + take_sites(positions, visible)
        hidden = self.mask_token + take_sites(positions, targets)
        x = torch.cat((seen.flatten(1, 2), hidden.flatten(1, 2)), dim=1)
        # Only the predictions are needed, so the last block transforms the masked tokens alone;
        # they still attend to the visible ones.
        *earlier, last = self.decoder
        recompute = self.encoder.grad_checkpointing
        for block in earlier:
            x = run(block, x, recompute=recompute)
        x = run(last, x, seen.shape[1] * seen.shape[2], recompute=recompute)
        out: Tensor = self.head(self.decoder_norm(x))
        return out

    def predict(self, video: Tensor, mask: Tensor) -> Tensor:
        """Predict masked patches, given a boolean mask.

        Args:
            video: (B, 3, T, H, W), ImageNet-normalised.
            mask: (B, T' * S), True = masked; every slice has equally many masked sites.

        Returns:
            (B, masked tokens, tubelet * patch**2 * 3) normalised pixels.

        Raises:
            SvfapError: the mask or the video does not fit the model.
        """
        slices, sites = self.encoder.slices, self.encoder.sites
        if not isinstance(mask, Tensor):
            raise SvfapError(_NO_MASK)
        if mask.shape != (len(video), slices * sites):
            raise SvfapError(
                f"the mask has shape {tuple(mask.shape)}, but the model's tokens need"
                f" ({len(video)}, {slices * sites})"
            )
        out: Tensor = self(video, *split_sites(mask, slices))
        return out

    def forward_features(self, video: Tensor) -> Tensor:
        """Encode a video (B, 3, T, H, W) that is seen as a whole into tokens (B, N, C)."""
        return self.summary(self.encoder(video))

    def summary(self, outputs: Sequence[Tensor]) -> Tensor:
        """Return the tokens that the decoder would read, (B, N, C), from all stages."""
        return self._encoded(outputs).flatten(1, 2)

    def normed(self, tokens: Tensor) -> Tensor:
        """Apply the encoder's norm to tokens (..., C)."""
        out: Tensor = self.norm(tokens)
        return out

    def set_input_size(self, img_size: Any = None, patch_size: Any = None) -> None:  # noqa: ANN401
        """Take videos of another height and width; weights stay."""
        super().set_input_size(img_size, patch_size)
        self.positions.resize(self.encoder.slices * self.encoder.sites)

    def drop_norm(self) -> None:
        """Remove the encoder's norm."""
        self.register_module("norm", nn.Identity())

    def drop_head(self) -> None:
        """Remove the decoder."""
        for part in ("to_decoder", "mask_token", "positions", "decoder", "decoder_norm", "head"):
            delattr(self, part)

    def forward_head(self, *_: object, **__: object) -> NoReturn:
        """Raise, since the model has no classifier."""
        raise NotApplicable(_NO_CLASSIFIER)

    def get_classifier(self) -> NoReturn:
        """Raise, since the model has no classifier."""
        raise NotApplicable(_NO_CLASSIFIER)

    def reset_classifier(self, *_: object, **__: object) -> NoReturn:
        """Raise, since the model has no classifier."""
        raise NotApplicable(_NO_CLASSIFIER)


def patch_pixels(video: Tensor, tubelet: int, patch: int) -> Tensor:
    """Cut a video (B, 3, T, H, W) into pixels of tubelets, (B, N, tubelet * patch**2, 3)."""
    channels: Tensor = patchify(video, tubelet, patch).flatten(1, 2).unflatten(-1, (3, -1))
    return channels.transpose(2, 3)


def reconstruction_target(
    video: Tensor, sites: Tensor, tubelet: int = 2, patch: int = 16
) -> Tensor:
    """Compute what the autoencoder predicts: chosen patches, normalised (paper section 3.2).

    Each patch is normalised per channel, with the unbiased variance.

    Args:
        video: (B, 3, T, H, W) in [0, 1].
        sites: (B, T', S_target) chosen sites of each slice.
        tubelet: frames per token.
        patch: side of a token in pixels.

    Returns:
        (B, T' * S_target, tubelet * patch**2 * 3), in the order of `sites`.
    """
    chosen = take_sites(patchify(video, tubelet, patch), sites).unflatten(-1, (3, -1))
    centred = chosen - chosen.mean(dim=-1, keepdim=True)
    # torch.var gives the same result but takes six times as long.
    variance = centred.square().sum(dim=-1, keepdim=True) / (chosen.shape[-1] - 1)
    normalised = centred / (variance.sqrt() + TARGET_EPS)
    out: Tensor = normalised.transpose(-1, -2).flatten(3).flatten(1, 2)
    return out
