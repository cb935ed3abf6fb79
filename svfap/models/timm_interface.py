"""What users of timm call on a model, without importing timm.

Our models pool frames in stages, so the intermediate features are the tokens of the stages, not of
the blocks: most blocks of a later stage have bottleneck tokens, which lie at no place of a frame.
"""

from abc import abstractmethod
from collections.abc import Sequence
from math import isqrt
from numbers import Integral
from typing import Any

from torch import Tensor, nn

from svfap.errors import SvfapError
from svfap.models.encoder import Encoder
from svfap.models.timm_sizes import new_side

LAYOUTS = ("NLC", "NCHW", "NCTHW", "NHWC", "NTHWC")
NOT_DECAYED = ("mask_token", "pool.query")  # with all biases and norms


class NotApplicable(SvfapError, NotImplementedError):
    """A method of timm's that makes no sense for a model."""


class TimmInterface(nn.Module):
    """Methods and attributes of timm's models that our models share.

    A token has no prefix such as a class token, so `return_prefix_tokens` changes nothing.
    """

    encoder: Encoder
    num_classes: int

    @property
    def num_features(self) -> int:
        """Number of channels of a token, C."""
        return self.encoder.config.dim

    @property
    def embed_dim(self) -> int:
        """Number of channels of a token, C."""
        return self.num_features

    @property
    def head_hidden_size(self) -> int:
        """Number of features that the head reads, F."""
        return self.num_features

    @property
    def in_chans(self) -> int:
        """Number of channels of a video."""
        return self.encoder.in_chans

    @property
    def num_frames(self) -> int:
        """Number of frames of a video, T."""
        return self.encoder.config.num_frames

    @property
    def feature_info(self) -> list[dict[str, Any]]:
        """Describe the tokens of each stage: channels, pixels and frames a token, last module."""
        config = self.encoder.config
        slices = 1 if config.pyramid == "none" else config.temporal_kernel
        return [
            {
                "num_chs": config.dim,
                "reduction": config.patch_size,
                "temporal_reduction": config.tubelet * slices**stage,
                "module": f"encoder.blocks.{sum(config.depths[: stage + 1]) - 1}",
            }
            for stage in range(len(config.depths))
        ]

    @abstractmethod
    def summary(self, outputs: Sequence[Tensor]) -> Tensor:
        """Return the tokens that the model goes on with, (B, N, C), from all stages."""

    @abstractmethod
    def normed(self, tokens: Tensor) -> Tensor:
        """Apply the norm that follows the encoder to tokens (..., C)."""

    @abstractmethod
    def drop_head(self) -> None:
        """Remove all that follows the encoder and its norm."""

    @abstractmethod
    def drop_norm(self) -> None:
        """Remove the norm that follows the encoder."""

    def set_input_size(self, img_size: Any = None, patch_size: Any = None) -> None:  # noqa: ANN401
        """Take videos of another height and width, as `new_side` allows; weights stay."""
        self.encoder.set_side(new_side(self.encoder.config, img_size, patch_size))

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Compute the blocks again in the backward pass instead of keeping what is in them."""
        self.encoder.grad_checkpointing = enable

    def no_weight_decay(self) -> set[str]:
        """Return the parameters without weight decay, besides biases and norms."""
        return {name for name, _ in self.named_parameters() if name.endswith(NOT_DECAYED)}

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Return patterns of the layers for layer-wise decay of the learning rate.

        They divide a model as `training.optim` does: patch embedding, each block, the rest.

        Args:
            coarse: one layer a stage instead of one a block, with its down-sampling and pool.
        """
        stem = r"^encoder\.patch_embed"
        if not coarse:
            return {"stem": stem, "blocks": [(r"^encoder\.blocks\.(\d+)", None)]}
        stages, start = {}, 0
        for stage, depth in enumerate(self.encoder.config.depths):
            blocks = "|".join(str(number) for number in range(start, start + depth))
            before = rf"|(?:downsamples|pools)\.{stage - 1}\." if stage else ""
            stages[f"stage_{stage + 1}"] = rf"^encoder\.(?:blocks\.(?:{blocks})\.{before})"
            start += depth
        return {"stem": stem, **stages}

    def forward_intermediates(
        self,
        x: Tensor,
        indices: int | Sequence[int] | None = None,
        return_prefix_tokens: bool = False,
        norm: bool = False,
        stop_early: bool = False,
        output_fmt: str = "NCHW",
        intermediates_only: bool = False,
    ) -> Any:  # noqa: ANN401 (one of two types, as in timm)
        """Compute the tokens of chosen stages.

        Args:
            x: (B, 3, T, H, W), ImageNet-normalised.
            indices: stages from 0, negative ones from the last; a number n for the last n stages;
                None for all.
            return_prefix_tokens: no effect.
            norm: whether to apply the model's norm to the tokens of each stage.
            stop_early: whether to leave out the stages after the last one of `indices`.
            output_fmt: NCHW or NCTHW for (B, C, T', H', W'), NHWC or NTHWC for (B, T', H', W', C),
                NLC for (B, T' * H' * W', C).
            intermediates_only: whether to return the intermediates alone.

        Returns:
            `forward_features(x)`, and a list with the tokens of each chosen stage.

        Raises:
            SvfapError: a stage or a layout is unknown.
        """
        taken = self._stages(indices)
        outputs = self.encoder(x, stop=taken[-1] + 1 if stop_early else None)
        chosen = [self.normed(outputs[i]) if norm else outputs[i] for i in taken]
        intermediates = [laid_out(tokens, output_fmt) for tokens in chosen]
        if intermediates_only:
            return intermediates
        return self.summary(outputs), intermediates

    def get_intermediate_layers(
        self,
        x: Tensor,
        n: int | Sequence[int] = 1,
        reshape: bool = False,
        return_prefix_tokens: bool = False,
        norm: bool = False,
    ) -> list[Tensor]:
        """Return the tokens of chosen stages.

        Args:
            x: (B, 3, T, H, W), ImageNet-normalised.
            n: stages, or number of last stages.
            reshape: whether to return (B, C, T', H', W') instead of (B, N, C).
            return_prefix_tokens: no effect.
            norm: whether to apply the model's norm.
        """
        layout = "NCTHW" if reshape else "NLC"
        found: list[Tensor] = self.forward_intermediates(
            x, n, norm=norm, output_fmt=layout, intermediates_only=True
        )
        return found

    def prune_intermediate_layers(
        self,
        indices: int | Sequence[int] = 1,
        prune_norm: bool = False,
        prune_head: bool = True,
    ) -> list[int]:
        """Remove the layers that the tokens of some stages do not need; return the stages."""
        taken = self._stages(indices)
        self.encoder.keep_stages(taken[-1] + 1)
        if prune_norm:
            self.drop_norm()
        if prune_head:
            self.drop_head()
        return taken

    def _stages(self, indices: int | Sequence[int] | None) -> list[int]:
        """Return sorted numbers of stages."""
        count = len(self.encoder.config.depths)
        wanted = count if indices is None else indices
        if isinstance(wanted, int):
            wanted = range(-wanted, 0)
        known = range(-count, count)
        if not isinstance(wanted, Sequence) or not wanted or any(i not in known for i in wanted):
            raise SvfapError(
                f"indices: {indices!r} names no stages; list stages from 0 to {count - 1}, or from"
                f" -{count} to -1, or give a number from 1 to {count} for the last ones"
            )
        return sorted({i % count for i in wanted})


def laid_out(tokens: Tensor, layout: str) -> Tensor:
    """Return tokens (B, T, S, C) in one of `LAYOUTS`, where S sites are H * W.

    Raises:
        SvfapError: the layout is unknown.
    """
    if layout not in LAYOUTS:
        raise SvfapError(f"output_fmt: {layout!r} is unknown; choose one of {', '.join(LAYOUTS)}")
    if layout == "NLC":
        return tokens.flatten(1, 2)
    side = isqrt(tokens.shape[2])
    grid: Tensor = tokens.unflatten(2, (side, side))
    if layout in ("NCHW", "NCTHW"):
        grid = grid.permute(0, 4, 1, 2, 3).contiguous()
    return grid


def check_count(name: str, value: object, *, least: int) -> None:
    """Check an argument that counts something.

    Raises:
        SvfapError: it is no whole number, or too small.
    """
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise SvfapError(f"{name}: {value!r} is no such number; give a whole number from {least}")


def reset_parameters(model: nn.Module) -> None:
    """Let every layer of a model start again, for instance after `to_empty`."""
    for module in model.modules():
        if reset := getattr(module, "reset_parameters", None):
            reset()
