"""Rename the authors' released checkpoints to this package's parameter names."""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

# Pairs (pattern, replacement), applied in this order to the names of the authors' parameters. Names
# have the prefix "encoder." in pre-training models, but not in fine-tuning models.
_RENAMES = (
    (r"^(encoder\.)?patch_embed\.proj\.", "encoder.patch_embed."),
    (r"^encoder\.norm\.", "norm."),
    (r"^encoder_to_decoder\.", "to_decoder."),
    (r"^decoder\.blocks\.(\d+)\.", r"decoder.\1."),
    (r"^decoder\.norm\.", "decoder_norm."),
    (r"^decoder\.head\.", "head."),
    (r"^(?=blocks\.|temporal_|spatial_)", "encoder."),
    (r"temporal_downsamples\.(\d+)\.", r"downsamples.\1.proj."),
    (r"spatial_downsamples\.", "pools."),
    (r"\.([qv])_bias$", r".\1.bias"),
)
# Further pairs for blocks with cross-attention, where the plain block is nested in `block`.
_CROSS_RENAMES = (
    (r"\.cross_norm1\.", ".query_norm."),
    (r"\.cross_norm2\.", ".context_norm."),
    (r"\.cross_attn\.", ".cross."),
    (r"\.(norm1|attn|norm2|mlp)\.", r".block.\1."),
)


def from_official(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename and reshape the authors' weights to a state dict of `VideoModel` or `Autoencoder`.

    Args:
        state: state dict of their fine-tuning or pre-training model of any size, or the content
            of a checkpoint file with the state dict under "model".

    Returns:
        A state dict with this package's names. Unknown names stay, and strict loading reports them.
    """
    state = state.get("model", state)  # type: ignore[assignment]
    cross_blocks = {_block_number(key) for key in state if ".cross_attn." in key}
    ours: dict[str, Tensor] = {}
    for key, value in state.items():
        renames = _RENAMES + (_CROSS_RENAMES if _block_number(key) in cross_blocks else ())
        name = key
        for pattern, replacement in renames:
            name = re.sub(pattern, replacement, name)
        ours |= reshape(name, value)
    return ours


def _block_number(key: str) -> str:
    """Return the number of the encoder block of a parameter; empty for other parameters."""
    match = re.match(r"(encoder\.)?blocks\.(\d+)\.", key)
    return match[2] if match else ""


def reshape(key: str, value: Tensor) -> dict[str, Tensor]:
    """Split fused projections, and flatten convolutions whose kernel equals their stride.

    `TemporalConv` and the patch embedding are linear layers here, see `layers.TemporalConv`.
    """
    if key.endswith(("attn.qkv.weight", "cross.kv.weight")):
        # "...attn.qkv.weight" -> "...attn" and "qkv": a letter for each projection, in their order.
        stem, names = key.rsplit(".", 2)[0], key.rsplit(".", 2)[1]
        parts = value.chunk(len(names))
        return {f"{stem}.{n}.weight": p for n, p in zip(names, parts, strict=True)}
    if value.ndim == 3 and key.endswith(".proj.weight"):  # (out, in, kernel) over time
        # `TemporalConv` flattens its input frame by frame, so the kernel comes before the channels.
        return {key: value.permute(0, 2, 1).flatten(1).contiguous()}
    if key.endswith("patch_embed.weight"):  # (out, 3, tubelet, patch, patch)
        return {key: value.flatten(1)}
    if key.endswith("mask_token"):
        return {key: value.reshape(1, 1, 1, -1)}
    return {key: value if torch.is_tensor(value) else torch.as_tensor(value)}
