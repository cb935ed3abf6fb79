"""One optimiser step: precision, gradients summed over batches and processes, averaged weights.

Only `Stepper.complete` waits for the device. The device itself decides whether to skip a step, from
the loss and the gradient norm that it has computed; the host reads these figures later, while the
device computes the next step's gradient.
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
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from svfap.config import OptimConfig
from svfap.training.batch import Batch
from svfap.training.distributed import Ranks
from svfap.training.objectives import Objective
from svfap.training.optim import EagerAdamW

Weights = dict[str, Tensor]


class StepResult(NamedTuple):
    """Figures of a completed step.

    Attributes:
        loss: mean loss of all clips of the step, on all devices.
        norm: norm of the gradient before clipping.
        finite: whether loss and norm are finite; an ordinary fp16 overflow counts as finite.
        stop: whether any process received a stop signal.
    """

    loss: float
    norm: float
    finite: bool
    stop: bool


class HostCopy(NamedTuple):
    """A tensor on its way from the device to the host.

    Attributes:
        tensor: the copy on the host; it is complete once `arrival` has happened.
        arrival: event after the copy; None on a CPU, where the copy is complete at once.
    """

    tensor: Tensor
    arrival: torch.cuda.Event | None

    @classmethod
    def start(cls, source: Tensor) -> "HostCopy":
        """Start the copy of a tensor without waiting for it."""
        copied = source.to("cpu", non_blocking=True)
        if not source.is_cuda:
            return cls(copied, None)
        arrival = torch.cuda.Event()
        arrival.record()
        return cls(copied, arrival)

    def wait(self) -> list[float]:
        """Wait for the copy and return its values."""
        # This waits for the copy alone. Tensor.item() would also wait for the next step's gradient,
        # which has been queued since.
        if self.arrival is not None:
            self.arrival.synchronize()
        values: list[float] = self.tensor.tolist()
        return values


def seed_everything(*seeds: int) -> None:
    """Seed the global generators of Python, NumPy and torch from several numbers."""
    seed = int(np.random.SeedSequence(seeds).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def autocast_dtype(config: OptimConfig, device: torch.device) -> torch.dtype | None:
    """Return the type in which matrix products are computed; None for float32."""
    if config.precision == "auto":
        return torch.bfloat16 if device.type == "cuda" else None
    return {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": None}[config.precision]


class Stepper:
    """The model and everything that a step changes: weights, optimiser, loss scale, average.

    A step consists of `accumulate`, `update` and `complete`. Random numbers are seeded by (seed,
    position of the step's first crop). So a step gives the same result after a restart, and up to
    rounding the same for any number of processes and any size of their batches.
    """

    def __init__(
        self,
        objective: Objective,
        groups: list[dict[str, Any]],
        config: OptimConfig,
        *,
        ranks: Ranks,
        seed: int,
        compiled: bool = False,
    ) -> None:
        self.objective, self.config, self.ranks, self.seed = objective, config, ranks, seed
        network, model = objective.network.to(ranks.device).train(), objective.model
        trained = torch.compile(network, fullgraph=True) if compiled else network
        self.forward = ranks.data_parallel(trained)  # type: ignore[arg-type]
        self.optimizer = EagerAdamW(groups, lr=0.0, betas=config.betas, fused=True)
        self.dtype = autocast_dtype(config, ranks.device)
        self.scaler = torch.amp.GradScaler(ranks.device.type, enabled=self.dtype is torch.float16)
        # 0.0 only satisfies the type: without `config.ema`, nothing calls the function.
        self.update_ema = get_ema_multi_avg_fn(config.ema or 0.0)
        self.average = AveragedModel(model, multi_avg_fn=self.update_ema) if config.ema else None
        self.total = torch.zeros((), device=ranks.device)  # loss of the step's batches so far
        # Figures of the last `update`, until `complete` reads them.
        self.pending_copy: HostCopy | None = None

    def step(self, batches: Sequence[Batch], rate: float) -> StepResult:
        """Do a whole step at a learning rate and wait for its result."""
        self.accumulate(batches)
        self.update(rate)
        return self.complete()

    def accumulate(self, batches: Sequence[Batch]) -> None:
        """Sum the loss and the gradients of a step's batches."""
        self.total = torch.zeros((), device=self.ranks.device)
        for number, batch in enumerate(batches):
            with self._synchronised(last=number + 1 == len(batches)):
                share = self.seeded_loss(batch) * batch.share
                # DistributedDataParallel averages gradients over the processes. A step's gradient
                # is their sum, since `Batch.share` counts the clips of all processes.
                self.scaler.scale(share * self.ranks.size).backward()
            self.total += share.detach()

    def update(self, rate: float, *, stop: bool = False) -> None:
        """Update the weights if loss and gradient are finite; else leave them as they are.

        Args:
            rate: the learning rate.
            stop: whether this process received a stop signal; `complete` reports it to all.
        """
        self.scaler.unscale_(self.optimizer)
        norm = self._clip_gradient()
        stop_requested = torch.full_like(self.total, float(stop))
        total, stop_requested = self.ranks.sum(torch.stack((self.total, stop_requested))).unbind()
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["lr_scale"]
        skipped = ~(total.isfinite() & norm.isfinite())
        # Fused AdamW (torch 2.13) leaves weights and moments as they are where `found_inf` is 1;
        # GradScaler.step sets this attribute for that purpose. Setting it here also covers the loss
        # and precisions without a scaler, and the host need not wait.
        self.optimizer.found_inf = skipped.float()  # type: ignore[attr-defined]
        self.optimizer.step()
        # Scaling a 1 gives the loss scale of this step (1 if disabled) on the device.
        # GradScaler.get_scale would wait for the device.
        scale = self.scaler.scale(torch.ones_like(total))
        self.pending_copy = HostCopy.start(torch.stack((total, norm, stop_requested, scale)))
        self.scaler.update()
        self.optimizer.zero_grad()

    def complete(self) -> StepResult:
        """Complete the last update: wait for its figures, and update the averaged weights.

        Raises:
            RuntimeError: there was no update since the last call.
        """
        if self.pending_copy is None:
            raise RuntimeError("no step to complete; call update() before complete()")
        total, norm, stop_requested, scale = self.pending_copy.wait()
        self.pending_copy = None
        updated = math.isfinite(total) and math.isfinite(norm)
        if updated:
            self._update_average()
        # Above a scale of 1, an infinite gradient with a finite loss is an ordinary fp16 overflow:
        # the scaler skips the step and halves the scale. At 1 or below it is a real error.
        may_be_overflow = self.scaler.is_enabled() and scale > 1
        finite = updated or (math.isfinite(total) and may_be_overflow)
        return StepResult(total, norm, finite, stop_requested > 0)

    def seeded_loss(self, batch: Batch) -> Tensor:
        """Seed the global generators from the step's position; return the batch's mean loss."""
        device = self.ranks.device
        # Objectives draw from torch's global generators, in every batch for the whole step.
        seed_everything(self.seed, batch.step_first)
        clips, enabled = batch.prepared(device), self.dtype is not None
        with torch.autocast(device.type, self.dtype or torch.bfloat16, enabled=enabled):
            return self.objective.loss(self.forward, clips)

    @property
    def result_weights(self) -> Weights:
        """The weights to save as the result: the averaged ones if there are any."""
        model = self.average.module if self.average else self.objective.model
        return model.state_dict()

    def state_dict(self) -> dict[str, Any]:
        """Return everything that the next step depends on; valid after `complete`."""
        return {
            "model": self.objective.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "average": self.average.state_dict() if self.average else None,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned, and drop accumulated gradients."""
        self.optimizer.zero_grad()
        self.objective.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        if self.average:
            self.average.load_state_dict(state["average"])

    def _clip_gradient(self) -> Tensor:
        """Clip the whole gradient to norm `clip_grad`, if set; return its norm before that."""
        parameters = [p for p in self.objective.model.parameters() if p.grad is not None]
        norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        if self.config.clip_grad is not None:
            torch.nn.utils.clip_grads_with_norm_(parameters, self.config.clip_grad, norm)
        return norm

    def _update_average(self) -> None:
        """Update the averaged weights; the first update copies the weights."""
        if self.average is None:
            return
        if self.average.n_averaged == 0:
            self.average.update_parameters(self.objective.model)
        else:
            # Do the work of AveragedModel.update_parameters, which also copies its counter to the
            # device in every call (torch 2.13), and the host waits for the copy.
            averaged, current = (
                [*model.parameters()] for model in (self.average.module, self.objective.model)
            )
            # An exponential average needs no count of updates, the third argument.
            self.update_ema(averaged, current, None)

    def _synchronised(self, *, last: bool) -> contextlib.AbstractContextManager[None]:
        """Exchange gradients between processes only in the last batch of a step.

        DistributedDataParallel would exchange them in every backward pass.
        """
        if isinstance(self.forward, DistributedDataParallel) and not last:
            return self.forward.no_sync()
        return contextlib.nullcontext()
