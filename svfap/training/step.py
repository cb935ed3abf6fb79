"""One optimiser step: precision, gradients summed over portions and processes, average."""

import contextlib
import math
import random
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel
from torch.optim import AdamW
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from svfap.config import OptimConfig
from svfap.training.data import Batch
from svfap.training.distributed import Ranks
from svfap.training.objectives import Objective

Weights = dict[str, Tensor]


class Outcome(NamedTuple):
    """What came of a step.

    Attributes:
        loss: mean over all clips of the step, on all devices.
        norm: of the gradient, before clipping.
        finite: whether both are, or else the weights were left as they were.
        stop: whether any process was asked to stop.
    """

    loss: float
    norm: float
    finite: bool
    stop: bool


def seed_everything(*seeds: int) -> None:
    """Seed all global generators from several numbers."""
    seed = int(np.random.SeedSequence(seeds).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def half_precision(config: OptimConfig, device: torch.device) -> torch.dtype | None:
    """The type that matrix products are computed in; None for float32 throughout."""
    if config.precision == "auto":
        return torch.bfloat16 if device.type == "cuda" else None
    return {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": None}[config.precision]


class Stepper:
    """The model and all that a step changes: weights, optimiser, loss scale, average.

    Everything random is seeded by (seed, first clip of the portion), so a step is the same
    whenever, and by however many processes, it is done, as long as the portions are equal.
    """

    def __init__(
        self,
        objective: Objective,
        groups: list[dict[str, Any]],
        config: OptimConfig,
        *,
        ranks: Ranks,
        seed: int,
    ) -> None:
        self.objective, self.config, self.ranks, self.seed = objective, config, ranks, seed
        model = objective.model.to(ranks.device).train()
        self.forward = ranks.spread(torch.compile(model) if config.compile else model)  # type: ignore[arg-type]
        self.optimizer = AdamW(groups, lr=0.0, betas=config.betas, fused=True)
        self.dtype = half_precision(config, ranks.device)
        self.scaler = torch.amp.GradScaler(ranks.device.type, enabled=self.dtype is torch.float16)
        self.average = (
            AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(config.ema))
            if config.ema
            else None
        )

    def step(self, batches: Sequence[Batch], rate: float, *, stop: bool = False) -> Outcome:
        """Take a step at a learning rate, if its loss and gradient are finite."""
        loss = torch.zeros((), device=self.ranks.device)
        for number, batch in enumerate(batches):
            with self._synchronised(last=number + 1 == len(batches)):
                share = self.loss(batch) * batch.share
                # DistributedDataParallel takes the mean over the processes, a step is their sum.
                self.scaler.scale(share * self.ranks.size).backward()
            loss += share.detach()
        self.scaler.unscale_(self.optimizer)
        limit = math.inf if self.config.clip_grad is None else self.config.clip_grad
        norm = torch.nn.utils.clip_grad_norm_(self.objective.model.parameters(), limit).item()
        told = torch.stack((loss, loss.new_tensor(float(stop))))
        total, asked = self.ranks.total(told).tolist()
        if math.isfinite(total) and math.isfinite(norm):
            self._update(rate)
        overflow = self.scaler.is_enabled() and self.scaler.get_scale() > 1
        self.scaler.update()
        self.optimizer.zero_grad()
        finite = math.isfinite(total) and (math.isfinite(norm) or overflow)
        return Outcome(total, norm, finite, asked > 0)

    def loss(self, batch: Batch) -> Tensor:
        """Mean loss of a batch in the run's precision, with the batch's own random numbers."""
        device = self.ranks.device
        seed_everything(self.seed, batch.first)
        enabled = self.dtype is not None
        with torch.autocast(device.type, self.dtype or torch.bfloat16, enabled=enabled):
            return self.objective.loss(self.forward, batch.to(device))

    @property
    def learned(self) -> Weights:
        """The weights that the run is for: averaged ones if it keeps them."""
        model = self.average.module if self.average else self.objective.model
        return model.state_dict()

    def state_dict(self) -> dict[str, Any]:
        """All that the next step depends on."""
        return {
            "model": self.objective.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "average": self.average.state_dict() if self.average else None,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to what `state_dict` returned."""
        self.objective.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        if self.average:
            self.average.load_state_dict(state["average"])

    def _update(self, rate: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["lr_scale"]
        self.scaler.step(self.optimizer)
        if self.average:
            self.average.update_parameters(self.objective.model)

    def _synchronised(self, *, last: bool) -> contextlib.AbstractContextManager[None]:
        """Exchange gradients in the last portion of a step only."""
        if isinstance(self.forward, DistributedDataParallel) and not last:
            return self.forward.no_sync()
        return contextlib.nullcontext()
