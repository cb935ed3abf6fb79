"""The one training loop: precision, schedule, clipping, checkpoints, resume, figures."""

import logging
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.optim import AdamW

from svfap.config import OptimConfig
from svfap.errors import SvfapError
from svfap.progress import Progress
from svfap.training import checkpoint
from svfap.training.data import Batch, Loader
from svfap.training.interrupt import stop_requests
from svfap.training.objectives import Objective
from svfap.training.optim import learning_rate

CURVE_POINTS = 500
Row = dict[str, float]
Log = Callable[[Row, int], None]

logger = logging.getLogger(__name__)


def device() -> torch.device:
    """The GPU if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def seed_everything(*seeds: int) -> None:
    """Seed all global generators from several numbers."""
    seed = int(np.random.SeedSequence(seeds).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


@dataclass
class Window:
    """Figures gathered since the last point of the curve."""

    losses: list[float] = field(default_factory=list)
    norms: list[float] = field(default_factory=list)
    waited: float = 0.0
    began: float = field(default_factory=time.monotonic)


@dataclass
class Trainer:
    """Fits an objective to a loader's clips.

    Everything random in a step is seeded by (seed, step), so the state of a run is its step, its
    weights and its optimiser: a killed run that is started again ends in the same weights.

    Attributes:
        objective: the model and its loss.
        loader: the batches.
        config: the optimiser's section.
        groups: parameter groups with their `lr_scale`.
        state: file of the live state, kept while training, removed by `finish`.
        identity: hash of all that the run depends on; another run's state is not resumed.
        label: what the progress line calls the run.
    """

    objective: Objective
    loader: Loader
    config: OptimConfig
    groups: list[dict[str, Any]]
    state: Path
    identity: str
    label: str
    seed: int = 0
    curve: list[Row] = field(default_factory=list)
    window: Window = field(default_factory=Window)

    def fit(self, log: Log) -> list[Row]:
        """Train to the last step and return the training curve.

        Raises:
            SvfapError: the loss is no longer finite.
            SystemExit: a signal asked to stop; the state has been saved.
        """
        self.objective.model.to(device()).train()
        optimizer = AdamW(self.groups, lr=0.0, betas=self.config.betas, fused=True)
        torch.set_num_threads(max(1, torch.get_num_threads() - self.loader.workers))
        start, steps = self._resume(optimizer), self.loader.steps
        progress = Progress(label=self.label, total=steps, start=start)
        saved, self.window = time.monotonic(), Window(losses=self.window.losses)
        with stop_requests() as stop:
            batches = self.loader.batches(start)
            for step in range(start, steps):
                asked = time.monotonic()
                batch = next(batches)
                self.window.waited += time.monotonic() - asked
                self._step(optimizer, batch, step)
                if (step + 1) % max(1, steps // CURVE_POINTS) == 0 or step + 1 == steps:
                    log(self._close_window(optimizer, step + 1), step + 1)
                progress.advance(figures=self._shown())
                if stop or time.monotonic() - saved > 60 * self.config.save_minutes:
                    self._save(optimizer, step + 1)
                    saved = time.monotonic()
                if stop:
                    logger.warning(
                        "stopped at step %d; the same command goes on from there", step + 1
                    )
                    raise SystemExit(128 + stop[0])
        progress.close()
        return self.curve

    def finish(self) -> None:
        """Forget the live state; call when the run's outputs are written."""
        self.state.unlink(missing_ok=True)

    def _step(self, optimizer: AdamW, batch: Batch, step: int) -> None:
        """One optimiser step."""
        seed_everything(self.seed, step)
        rate = learning_rate(
            step,
            steps=self.loader.steps,
            steps_per_epoch=self.loader.steps_per_epoch,
            config=self.config,
        )
        for group in optimizer.param_groups:
            group["lr"] = rate * group["lr_scale"]
        where = device()
        half = self.config.precision == "bf16" or (
            self.config.precision == "auto" and where.type == "cuda"
        )
        with torch.autocast(where.type, torch.bfloat16, enabled=half):
            loss = self.objective.loss(batch.to(where))
        loss.backward()
        limit = math.inf if self.config.clip_grad is None else self.config.clip_grad
        norm = torch.nn.utils.clip_grad_norm_(self.objective.model.parameters(), limit)
        if not math.isfinite(value := loss.item()):
            raise SvfapError(
                f"{self.label}: the loss is {value} at step {step}; lower optim.lr, set"
                " optim.clip_grad to 1.0 or optim.precision to fp32"
            )
        optimizer.step()
        optimizer.zero_grad()
        self.window.losses.append(value)
        self.window.norms.append(norm.item())

    def _close_window(self, optimizer: AdamW, step: int) -> Row:
        """Add the point of the curve that ends at a step."""
        seconds = time.monotonic() - self.window.began
        count = len(self.window.norms)
        row = {
            "step": float(step),
            "epoch": step / self.loader.steps_per_epoch,
            "loss": float(np.mean(self.window.losses)),
            "lr": max(group["lr"] for group in optimizer.param_groups),
            "grad_norm": float(np.mean(self.window.norms)),
            "clips/s": count * self.loader.batch_size / seconds,
            "data_share": self.window.waited / seconds,
        }
        self.curve.append(row)
        self.window = Window()
        return row

    def _shown(self) -> Row:
        """The figures of the progress line."""
        return {key: self.curve[-1][key] for key in ("loss", "clips/s")} if self.curve else {}

    def _save(self, optimizer: AdamW, step: int) -> None:
        checkpoint.save(
            self.state,
            {
                "identity": self.identity,
                "step": step,
                "model": self.objective.model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "curve": self.curve,
                "losses": self.window.losses,
            },
        )

    def _resume(self, optimizer: AdamW) -> int:
        """Load the live state of this very run, if there is one; return the step to begin with."""
        if not self.state.is_file():
            return 0
        try:
            saved = checkpoint.load(self.state)
        except SvfapError as error:
            logger.warning("%s: beginning anew", error)
            return 0
        if saved.get("identity") != self.identity:
            logger.info("%s: settings or data have changed, beginning anew", self.label)
            return 0
        self.objective.model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        self.curve, self.window.losses = saved["curve"], saved["losses"]
        logger.info("%s: going on at step %d", self.label, saved["step"])
        return int(saved["step"])
