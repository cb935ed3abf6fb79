"""Rename the authors' released checkpoints to this package's parameter names."""

import re

import torch
from torch import Tensor

_RENAMES = (
    (r"^patch_embed\.proj\.", "encoder.patch_embed."),
    (r"^encoder\.patch_embed\.proj\.", "encoder.patch_embed."),
    (r"^encoder\.norm\.", "norm."),
    (r"^encoder_to_decoder\.", "to_decoder."),
    (r"^decoder\.blocks\.(\d+)\.", r"decoder.\1."),
    (r"^decoder\.norm\.", "decoder_norm."),
    (r"^decoder\.head\.", "head."),
    (r"^(?=blocks\.|temporal_|spatial_)", "encoder."),
    (r"temporal_downsamples\.(\d+)\.", r"stages.\1.downsample.proj."),
    (r"spatial_downsamples\.(\d+)\.", r"stages.\1.pool."),
)
_CROSS = (
    (r"\.cross_norm1\.", ".query_norm."),
    (r"\.cross_norm2\.", ".context_norm."),
    (r"\.cross_attn\.", ".cross."),
    (r"\.(norm1|attn|norm2|mlp)\.", r".block.\1."),
)


def from_official(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The authors' state dict, of the fine-tuning or the pre-training model, in our names."""
    state = state.get("model", state)  # type: ignore[assignment]
    renamed = {_substitute(key, _RENAMES): value for key, value in state.items()}
    for key in [k for k in renamed if k.endswith((".q_bias", ".v_bias"))]:
        renamed[f"{key.removesuffix('_bias')}.bias"] = renamed.pop(key)
    staged = _group_blocks(renamed)
    ours: dict[str, Tensor] = {}
    for key, value in staged.items():
        ours.update(_reshape(key, value))
    return ours


def _substitute(key: str, rules: tuple[tuple[str, str], ...]) -> str:
    for pattern, replacement in rules:
        key = re.sub(pattern, replacement, key)
    return key


def _group_blocks(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Move the cross-attention blocks of the authors' one flat list into their stages."""
    pattern = re.compile(r"^encoder\.blocks\.(\d+)\.(.*)$")
    indices = sorted(
        {int(m[1]) for k in state if (m := pattern.match(k)) and m[2].startswith("cross_")}
    )
    stages = len({k.split(".")[2] for k in state if k.startswith("encoder.stages.")})
    depths = _stage_depths(len(indices), stages)
    place: dict[int, tuple[int, int]] = {}
    for stage, depth in enumerate(depths):
        start = sum(depths[:stage])
        place |= {indices[start + i]: (stage, i) for i in range(depth)}
    grouped = {}
    for key, value in state.items():
        match = pattern.match(key)
        name = key
        if match and int(match[1]) in place:
            stage, block = place[int(match[1])]
            rest = _substitute(f".{match[2]}", _CROSS)
            name = f"encoder.stages.{stage}.blocks.{block}{rest}"
        grouped[name] = value
    return grouped


def _stage_depths(blocks: int, stages: int) -> list[int]:
    """Depths of the bottleneck stages: equal, or each twice the next (6, 3 and 4, 2)."""
    halves = [2**i for i in reversed(range(stages))]
    if blocks % sum(halves) == 0:
        return [blocks // sum(halves) * h for h in halves]
    return [blocks // stages] * stages


def _reshape(key: str, value: Tensor) -> dict[str, Tensor]:
    """Split fused projections and flatten convolutions."""
    if key.endswith(("attn.qkv.weight", "cross.kv.weight")):
        stem, names = key.rsplit(".", 2)[0], key.rsplit(".", 2)[1]
        parts = value.chunk(len(names))
        return {f"{stem}.{n}.weight": p for n, p in zip(names, parts, strict=True)}
    if key.endswith("downsample.proj.weight"):
        return {key: value.permute(0, 2, 1).flatten(1).contiguous()}
    if key.endswith("patch_embed.weight"):
        return {key: value.flatten(1)}
    if key.endswith("mask_token"):
        return {key: value.reshape(1, 1, 1, -1)}
    return {key: value if torch.is_tensor(value) else torch.as_tensor(value)}
