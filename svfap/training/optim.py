"""Parameter groups with layer-wise learning-rate decay, and the warm-up cosine schedule."""

import inspect
import math
import re
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim import AdamW

from svfap.config import OptimConfig

LR_REFERENCE_BATCH = 256  # learning rates are for this batch size (paper section 4.1)


class EagerAdamW(AdamW):
    """torch's AdamW for steps that are not compiled.

    torch (2.13) wraps these methods so that torch.compile leaves them out. The wrappers import the
    compiler, which takes longer than importing torch, in every training process.
    """

    add_param_group = inspect.unwrap(AdamW.add_param_group)
    zero_grad = inspect.unwrap(AdamW.zero_grad)
    state_dict = inspect.unwrap(AdamW.state_dict)
    load_state_dict = inspect.unwrap(AdamW.load_state_dict)
    step = torch.no_grad()(inspect.unwrap(AdamW.step))


def layer_of(name: str, blocks: int) -> int:
    """Return the depth of a parameter: patch embedding 0, the L blocks 1 to L, the rest L + 1."""
    if name.startswith("encoder.patch_embed."):
        return 0
    block = re.match(r"encoder\.blocks\.(\d+)\.", name)
    return int(block[1]) + 1 if block else blocks + 1


def parameter_groups(
    model: nn.Module, *, weight_decay: float, layer_decay: float = 1.0
) -> list[dict[str, Any]]:
    """Group trained parameters by depth and weight decay; each group has its factor `lr_scale`.

    Biases, norms, the mask token and a pool's query have no weight decay. A parameter of depth d
    has `lr_scale = layer_decay ** (L + 1 - d)` with L blocks; down-sampling and head have
    `lr_scale = 1`.
    """
    blocks = len(model.get_submodule("encoder.blocks"))  # type: ignore[arg-type]
    groups: dict[tuple[int, bool], dict[str, Any]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        depth = layer_of(name, blocks)
        decayed = parameter.ndim > 1 and not name.endswith(("mask_token", "pool.query"))
        group = groups.setdefault(
            (depth, decayed),
            {
                "params": [],
                "weight_decay": weight_decay if decayed else 0.0,
                "lr_scale": layer_decay ** (blocks + 1 - depth),
            },
        )
        group["params"].append(parameter)
    return list(groups.values())


@dataclass(frozen=True)
class Schedule:
    """Linear warm-up from 0, then cosine decay to the minimum; rates scale with the batch size.

    Attributes:
        config: settings of the optimiser, the section `optim`.
        batch_size: number of clips per step.
        steps: number of steps of the run.
        steps_per_epoch: number of steps per epoch, perhaps not whole.
    """

    config: OptimConfig
    batch_size: int
    steps: int
    steps_per_epoch: float

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        scale = self.batch_size / LR_REFERENCE_BATCH
        peak, floor = self.config.lr * scale, self.config.min_lr * scale
        # Short runs (demo, tests) would otherwise end before the warm-up does.
        warmup = min(self.config.warmup_epochs * self.steps_per_epoch, self.steps / 2)
        if step < warmup:
            return peak * step / warmup
        done = (step - warmup) / max(self.steps - warmup, 1)
        return floor + (peak - floor) * (1 + math.cos(math.pi * done)) / 2
