"""What fine-tuning trains: all weights, all but the first blocks, low-rank updates, or the head.

LoRA (arXiv 2106.09685) adds a product of two small matrices to a frozen weight matrix. A finished
training adds the products to the weights, so that its checkpoint is one of a plain model.
"""

import math
from collections.abc import Mapping
from itertools import accumulate

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from svfap.config import FinetuneConfig, LoraConfig
from svfap.models import Encoder, VideoModel

DOWN, UP = ".lora_down", ".lora_up"  # endings of the keys of an update


class LoraLinear(nn.Module):
    """A frozen linear layer plus a trained update of low rank; its keys are the layer's and two.

    Args:
        layer: the layer to update.
        config: rank and scale of the update.
    """

    def __init__(self, layer: nn.Linear, config: LoraConfig) -> None:
        super().__init__()
        self.weight, self.bias = layer.weight, layer.bias
        self.scale = config.alpha / config.rank
        self.lora_down = nn.Parameter(torch.empty(config.rank, layer.in_features))
        # The update starts at 0: one matrix is random, as in the authors' code, the other 0.
        self.lora_up = nn.Parameter(torch.zeros(layer.out_features, config.rank))
        nn.init.kaiming_uniform_(self.lora_down, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        """Transform tokens (..., in) to (..., out)."""
        update = F.linear(F.linear(x, self.lora_down), self.lora_up)
        return F.linear(x, self.weight, self.bias) + self.scale * update


def prepare(model: VideoModel, settings: FinetuneConfig) -> None:
    """Freeze what fine-tuning keeps, and add the updates of LoRA."""
    if settings.tune == "full":
        _freeze_first(model.encoder, settings.freeze)
        return
    model.encoder.requires_grad_(False)
    if settings.tune == "lora":
        _add_updates(model.encoder.blocks, settings.lora)


def plain(weights: Mapping[str, Tensor], config: LoraConfig) -> dict[str, Tensor]:
    """Return the weights of a plain model: each update is added to the weights that it changes."""
    merged = {key: value for key, value in weights.items() if not key.endswith((DOWN, UP))}
    for layer in (key.removesuffix(UP) for key in weights if key.endswith(UP)):
        update = weights[layer + UP] @ weights[layer + DOWN]
        merged[f"{layer}.weight"] = merged[f"{layer}.weight"] + config.alpha / config.rank * update
    return merged


def _freeze_first(encoder: Encoder, count: int) -> None:
    """Freeze the first blocks and all that lies before them."""
    if not count:
        return
    encoder.patch_embed.requires_grad_(False)
    encoder.blocks[:count].requires_grad_(False)
    starts = [*accumulate(encoder.config.depths)][:-1]  # first block of each later stage
    for start, down, pool in zip(starts, encoder.downsamples, encoder.pools, strict=True):
        if start < count:
            down.requires_grad_(False)
            pool.requires_grad_(False)


def _add_updates(blocks: nn.Module, config: LoraConfig) -> None:
    """Replace the chosen linear layers of the blocks."""
    for parent in [*blocks.modules()]:
        for name, layer in [*parent.named_children()]:
            if name in config.targets and isinstance(layer, nn.Linear):
                setattr(parent, name, LoraLinear(layer, config))
