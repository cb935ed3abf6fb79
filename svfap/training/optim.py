"""Parameter groups with layer-wise learning-rate decay, and the warm-up cosine schedule."""

import math
import re

from torch import nn

from svfap.config import OptimConfig

LR_REFERENCE_BATCH = 256


def layer_of(name: str, first_depth: int, depths: tuple[int, ...]) -> int:
    """Depth of a parameter: 0 patch embedding, 1..L the blocks, L + 1 all the rest."""
    if name.startswith("encoder.patch_embed."):
        return 0
    if match := re.match(r"encoder\.blocks\.(\d+)\.", name):
        return int(match[1]) + 1
    if match := re.match(r"encoder\.stages\.(\d+)\.blocks\.(\d+)\.", name):
        return first_depth + sum(depths[: int(match[1])]) + int(match[2]) + 1
    return first_depth + sum(depths) + 1


def parameter_groups(
    model: nn.Module, *, weight_decay: float, layer_decay: float, depths: tuple[int, ...]
) -> list[dict[str, object]]:
    """Groups of equal depth and weight decay, each with its `lr_scale`.

    Biases, norms and the mask token are not decayed. A parameter of depth d is trained at
    `layer_decay ** (L + 1 - d)` of the learning rate (L blocks; down-sampling and head: 1).
    """
    groups: dict[tuple[int, bool], dict[str, object]] = {}
    for name, parameter in model.named_parameters():
        depth = layer_of(name, depths[0], depths[1:])
        decayed = parameter.ndim > 1 and not name.endswith("mask_token")
        group = groups.setdefault(
            (depth, decayed),
            {
                "params": [],
                "weight_decay": weight_decay if decayed else 0.0,
                "lr_scale": layer_decay ** (sum(depths) + 1 - depth),
            },
        )
        group["params"].append(parameter)  # type: ignore[attr-defined]
    return list(groups.values())


def learning_rate(step: int, *, steps: int, steps_per_epoch: float, config: OptimConfig) -> float:
    """Linear warm-up from 0, then cosine decay to the minimum; both scale with the batch size."""
    scale = config.batch_size / LR_REFERENCE_BATCH
    peak, floor = config.lr * scale, config.min_lr * scale
    warmup = min(config.warmup_epochs * steps_per_epoch, steps / 2)
    if step < warmup:
        return peak * step / warmup
    done = (step - warmup) / max(steps - warmup, 1)
    return floor + (peak - floor) * (1 + math.cos(math.pi * done)) / 2
