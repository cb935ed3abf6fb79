"""Rename the weights of public video transformers to this package's parameter names.

A plain video transformer (VideoMAE and its descendants) is an `Encoder` of one stage without
pyramid and bottleneck. Families differ in their parameter names, in the epsilon of LayerNorm and in
the scale of pixels. The scale goes into the patch embedding, so that every model takes
ImageNet-normalised videos.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from svfap.errors import SvfapError
from svfap.models.convert import reshape

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
UNIT = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
HEAD_WIDTH = 64  # channels of an attention head in all families; shapes do not tell it

# Parts that no plain transformer has: pattern of a parameter's name -> what the model is.
_FOREIGN_PARTS = {
    r"lg_region_tokens|\.first_attn\.": "local-global attention over regions with messenger tokens"
    " (MAE-DFER, AVF-MAE++), which our blocks do not have",
    r"\.moe_layer\.": "a mixture of experts (fine-tuned S4D); take the pre-trained file",
    r"\.gamma_1$": "layer scale, which our blocks do not have",
    r"\.attn\.scale$": "cosine attention (VideoMAEv2 with cos_attn), which our blocks do not have",
    r"(^|\.)(cls_token|pos_embed)$": "a class token or learned positions, which our encoder does"
    " not have",
    r"temporal_downsamples\.": "the authors' SVFAP; convert it with `python -m svfap convert`",
}


@dataclass(frozen=True)
class Family:
    """How a family of models differs from ours.

    Attributes:
        name: name in messages.
        patches: name of the patch embedding's weight without prefix; it tells the families apart.
        renames: pairs (pattern, replacement), applied in this order to names without prefix.
        norm_eps: epsilon of LayerNorm.
        pixels: mean and standard deviation by which the family normalises pixels from 0 to 1.
    """

    name: str
    patches: str
    renames: tuple[tuple[str, str], ...]
    norm_eps: float = 1e-6
    pixels: tuple[tuple[float, ...], tuple[float, ...]] = IMAGENET


FAMILIES = (
    Family(
        "VideoMAE of transformers",
        "embeddings.patch_embeddings.projection.weight",
        (
            (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed."),
            (r"^encoder\.layer\.", "blocks."),
            (r"\.attention\.attention\.([qv])_bias$", r".attn.\1.bias"),
            (r"\.attention\.attention\.query\.", ".attn.q."),
            (r"\.attention\.attention\.key\.", ".attn.k."),
            (r"\.attention\.attention\.value\.", ".attn.v."),
            (r"\.attention\.output\.dense\.", ".attn.proj."),
            (r"\.intermediate\.dense\.", ".mlp.fc1."),
            (r"\.output\.dense\.", ".mlp.fc2."),
            (r"\.layernorm_before\.", ".norm1."),
            (r"\.layernorm_after\.", ".norm2."),
            (r"^classifier\.", "head."),
        ),
        norm_eps=1e-12,
    ),
    Family(
        "MARLIN",
        "patch_embedding.projection.weight",
        (
            (r"^patch_embedding\.projection\.", "patch_embed."),
            (r"\.mlp\.layers\.0\.linear\.", ".mlp.fc1."),
            (r"\.mlp\.layers\.1\.linear\.", ".mlp.fc2."),
            (r"\.([qv])_bias$", r".\1.bias"),
            (r"^norm\.", "fc_norm."),  # MARLIN pools before it
        ),
        norm_eps=1e-5,
        pixels=UNIT,
    ),
    Family(
        "VideoMAE",
        "patch_embed.proj.weight",
        ((r"^patch_embed\.proj\.", "patch_embed."), (r"\.([qv])_bias$", r".\1.bias")),
    ),
)
# Without effect on features: positions that we compute, and the norm of pre-training's decoder.
_UNUSED = re.compile(r"^(pos_embedding\..*|(embeddings\.)?position_embeddings|(layer)?norm\..*)$")


def from_public(state: Mapping[str, Tensor], *, where: object) -> dict[str, Tensor]:
    """Rename and reshape the weights of a public model to a state dict of `VideoModel`.

    Args:
        state: state dict of a pre-trained or fine-tuned model; a decoder is left out.
        where: origin of the weights, for error messages.

    Returns:
        A state dict with `encoder.` names, and `fc_norm.` and `head.` where the model has them.

    Raises:
        SvfapError: no class of this package can hold the model; the message says why.
    """
    family, prefix = _find_family(state, where=where)
    ours: dict[str, Tensor] = {}
    for key, value in state.items():
        name = key.removeprefix(prefix)
        outer = re.match(r"(fc_norm|classifier|head)\.", key)
        if not (key.startswith(prefix) or outer):
            continue  # a decoder
        for pattern, replacement in family.renames:
            name = re.sub(pattern, replacement, name)
        if not _UNUSED.match(name):
            place = "" if name.startswith(("fc_norm.", "head.")) else "encoder."
            ours |= reshape(place + name, value.float())
    return _with_imagenet_pixels(ours, family)


def sizes_of(state: Mapping[str, Tensor], *, where: object) -> dict[str, Any]:
    """Return the keys of the `model` section that the weights of a public model determine.

    Raises:
        SvfapError: no class of this package can hold the model.
    """
    family, prefix = _find_family(state, where=where)
    dim, _, tubelet, patch, _ = state[prefix + family.patches].shape
    numbers = {m[1] for key in state if (m := re.match(_BLOCK.format(re.escape(prefix)), key))}
    return {
        "dim": dim,
        "heads": dim // HEAD_WIDTH or 1,
        "depths": [len(numbers)],
        "tubelet": tubelet,
        "patch_size": patch,
        "pyramid": "none",
        "bottleneck": False,
        "norm_eps": family.norm_eps,
    }


_BLOCK = r"{}(?:encoder\.layer|blocks)\.(\d+)\."


def _find_family(state: Mapping[str, Tensor], *, where: object) -> tuple[Family, str]:
    """Return the family of a state dict, and the prefix of its encoder's names."""
    for pattern, reason in _FOREIGN_PARTS.items():
        if any(re.search(pattern, key) for key in state):
            raise SvfapError(f"{where}: has {reason}")
    for family in FAMILIES:
        found = [key for key in state if f".{key}".endswith(f".{family.patches}")]
        if found and state[found[0]].ndim == 5:
            return family, found[0].removesuffix(family.patches)
    known = ", ".join(family.name for family in FAMILIES)
    raise SvfapError(
        f"{where}: no video transformer of a known family ({known}); `python -m svfap weights`"
        " lists the models that fit"
    )


def _with_imagenet_pixels(weights: dict[str, Tensor], family: Family) -> dict[str, Tensor]:
    """Change the patch embedding to take ImageNet-normalised pixels; the result is the same."""
    if family.pixels == IMAGENET:
        return weights
    mean, std = (torch.tensor(values, dtype=torch.float64) for values in IMAGENET)
    own_mean, own_std = (torch.tensor(values, dtype=torch.float64) for values in family.pixels)
    weight = weights["encoder.patch_embed.weight"].double().unflatten(1, (3, -1))
    shift = (weight * ((mean - own_mean) / own_std)[:, None]).sum((1, 2))
    scaled = weight * (std / own_std)[:, None]
    bias = weights["encoder.patch_embed.bias"].double() + shift
    changed = {"weight": scaled.flatten(1).float(), "bias": bias.float()}
    return weights | {f"encoder.patch_embed.{name}": value for name, value in changed.items()}
