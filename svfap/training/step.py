"""One optimiser step: precision, gradients summed over portions and processes, average.

Nothing here waits for the device but `Stepper.outcome`: whether a step is skipped is decided where
its loss is, and what came of it is read while the device is busy with the next one's gradient.
"""

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
from svfap.training.batch import Batch
from svfap.training.distributed import Ranks
from svfap.training.objectives import Objective

Weights = dict[str, Tensor]


class StepResult(NamedTuple):
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


class Told(NamedTuple):
    """Figures of a step on their way from the device."""

    figures: Tensor
    arrival: torch.cuda.Event | None

    @classmethod
    def of(cls, figures: Tensor) -> "Told":
        """Begin to copy, without waiting."""
        copied = figures.to("cpu", non_blocking=True)
        if not figures.is_cuda:
            return cls(copied, None)
        arrival = torch.cuda.Event()
        arrival.record()
        return cls(copied, arrival)

    def read(self) -> list[float]:
        """Wait for them."""
        if self.arrival is not None:
            self.arrival.synchronize()
        values: list[float] = self.figures.tolist()
        return values


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
        trained = torch.compile(model, fullgraph=True) if config.compile else model
        self.forward = ranks.spread(trained)  # type: ignore[arg-type]
        self.optimizer = AdamW(groups, lr=0.0, betas=config.betas, fused=True)
        self.dtype = half_precision(config, ranks.device)
        self.scaler = torch.amp.GradScaler(ranks.device.type, enabled=self.dtype is torch.float16)
        self.follow = get_ema_multi_avg_fn(config.ema or 0.0)
        self.average = AveragedModel(model, multi_avg_fn=self.follow) if config.ema else None

    def step(self, batches: Sequence[Batch], rate: float) -> StepResult:
        """Take a step at a learning rate and wait for what comes of it."""
        self.accumulate(batches)
        self.update(rate)
        return self.outcome()

    def accumulate(self, batches: Sequence[Batch]) -> None:
        """Sum the loss and the gradient of a step's portions."""
        self.total = torch.zeros((), device=self.ranks.device)
        for number, batch in enumerate(batches):
            with self._synchronised(last=number + 1 == len(batches)):
                share = self.loss(batch) * batch.share
                # DistributedDataParallel takes the mean over the processes, a step is their sum.
                self.scaler.scale(share * self.ranks.size).backward()
            self.total += share.detach()

    def update(self, rate: float, *, stop: bool = False) -> None:
        """Move the weights along the gradient, if loss and gradient are finite.

        Args:
            rate: the learning rate.
            stop: whether this process was asked to stop; `outcome` tells it to all of them.
        """
        self.scaler.unscale_(self.optimizer)
        norm = self._clip()
        asked = torch.full_like(self.total, float(stop))
        total, asked = self.ranks.total(torch.stack((self.total, asked))).unbind()
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["lr_scale"]
        skipped = ~(total.isfinite() & norm.isfinite())
        self.optimizer.found_inf = skipped.float()  # type: ignore[attr-defined]
        self.optimizer.step()
        scale = self.scaler.scale(torch.ones_like(total))
        self.told = Told.of(torch.stack((total, norm, asked, scale)))
        self.scaler.update()
        self.optimizer.zero_grad()

    def outcome(self) -> StepResult:
        """Wait for what came of the last update, and average the weights that it made."""
        total, norm, asked, scale = self.told.read()
        updated = math.isfinite(total) and math.isfinite(norm)
        if updated:
            self._average()
        overflow = self.scaler.is_enabled() and scale > 1
        finite = updated or (math.isfinite(total) and overflow)
        return StepResult(total, norm, finite, asked > 0)

    def loss(self, batch: Batch) -> Tensor:
        """Mean loss of a batch in the run's precision, with the batch's own random numbers."""
        device = self.ranks.device
        seed_everything(self.seed, batch.first)
        clips, enabled = batch.to(device), self.dtype is not None
        with torch.autocast(device.type, self.dtype or torch.bfloat16, enabled=enabled):
            return self.objective.loss(self.forward, clips)

    @property
    def learned(self) -> Weights:
        """The weights that the run is for: averaged ones if it keeps them."""
        model = self.average.module if self.average else self.objective.model
        return model.state_dict()

    def state_dict(self) -> dict[str, Any]:
        """All that the next step depends on, once `outcome` was read."""
        return {
            "model": self.objective.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "average": self.average.state_dict() if self.average else None,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to what `state_dict` returned; a gradient that was summed is dropped."""
        self.optimizer.zero_grad()
        self.objective.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        if self.average:
            self.average.load_state_dict(state["average"])

    def _clip(self) -> Tensor:
        """Norm of the whole gradient; scales it down to the limit where there is one."""
        parameters = [p for p in self.objective.model.parameters() if p.grad is not None]
        norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        if self.config.clip_grad is not None:
            torch.nn.utils.clip_grads_with_norm_(parameters, self.config.clip_grad, norm)
        return norm

    def _average(self) -> None:
        """Let the averaged weights follow; the first time they are the weights."""
        if self.average is None:
            return
        if self.average.n_averaged == 0:
            self.average.update_parameters(self.objective.model)
        else:  # as update_parameters, which copies its counter to the device every time
            averaged, current = (
                [*model.parameters()] for model in (self.average.module, self.objective.model)
            )
            self.follow(averaged, current, None)

    def _synchronised(self, *, last: bool) -> contextlib.AbstractContextManager[None]:
        """Exchange gradients in the last portion of a step only."""
        if isinstance(self.forward, DistributedDataParallel) and not last:
            return self.forward.no_sync()
        return contextlib.nullcontext()
