"""The one training loop: schedule, guard, saves, resume, signals, figures."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch

from svfap.config import OptimConfig
from svfap.progress import Progress
from svfap.training.batch import Batch
from svfap.training.distributed import Ranks
from svfap.training.guard import Guard
from svfap.training.interrupt import exit_status, stop_requests
from svfap.training.loader import Loader
from svfap.training.optim import Schedule
from svfap.training.state import State
from svfap.training.step import Stepper, StepResult

CURVE_POINTS = 500
CurvePoint = dict[str, float]
Log = Callable[[CurvePoint, int], None]

logger = logging.getLogger(__name__)


@dataclass
class CurveInterval:
    """Figures gathered since the last point of the curve."""

    losses: list[float] = field(default_factory=list)
    norms: list[float] = field(default_factory=list)
    clips: int = 0
    waited: float = 0.0
    began: float = field(default_factory=time.monotonic)


class Pending(NamedTuple):
    """A step whose outcome was not read yet."""

    step: int
    batches: Sequence[Batch]


@dataclass
class Trainer:
    """Takes a learner through a loader's steps.

    The state of a run is its step, its learner and its curve: a killed run that is started again
    ends in the same weights.

    Attributes:
        stepper: the model and all that a step changes.
        loader: the clips of every step.
        config: the optimiser's section.
        state: where the live state is kept while training.
        ranks: the processes that share the run.
        label: what the progress line calls the run.
        validate: gives figures of the model, asked for at the end of every epoch.
        curve: the training curve so far.
        window: figures since its last point.
        pending: the step whose outcome is to be read.
        saved: when the state was last saved.
        received: signals that ask to stop.
    """

    stepper: Stepper
    loader: Loader
    config: OptimConfig
    state: State
    ranks: Ranks
    label: str
    validate: Callable[[], CurvePoint] | None = None
    curve: list[CurvePoint] = field(default_factory=list)
    window: CurveInterval = field(default_factory=CurveInterval)
    pending: Pending | None = None
    saved: float = 0.0
    received: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.guard = Guard(self.config.max_skips, self.state.folder)
        self.schedule = Schedule(
            self.config, self.loader.batch_size, self.loader.steps, self.loader.steps_per_epoch
        )

    def fit(self, log: Log) -> list[CurvePoint]:
        """Train to the last step and return the training curve.

        Raises:
            SvfapError: too many steps in a row had no finite loss.
            SystemExit: a signal asked to stop; the state has been saved.
        """
        torch.set_num_threads(max(1, torch.get_num_threads() - self.loader.workers))
        start, steps = self._resume(), self.loader.steps
        progress = Progress(label=self.label, total=steps, start=start, shown=self.ranks.first)
        self.saved, self.window = time.monotonic(), CurveInterval(losses=self.window.losses)
        with stop_requests() as self.received:
            loading = self.loader.load(start)
            for step in range(start, steps):
                asked = time.monotonic()
                batches = next(loading)
                self.window.waited += time.monotonic() - asked
                self.stepper.accumulate(batches)
                if self._settle(log):
                    self.stepper.accumulate(batches)
                self.stepper.update(self.schedule(step), stop=bool(self.received))
                self.pending = Pending(step, batches)
                if self._is_point(step + 1):
                    self._settle(log)
                progress.advance(figures=self._shown())
        progress.close()
        return self.curve

    def _settle(self, log: Log) -> bool:
        """Read what came of the pending step, and act on it before the next one moves the weights.

        Between two points of the curve the next gradient is then under way, so that the device
        has work while this process waits; it has to be summed anew if the weights went back.
        """
        if self.pending is None:
            return False
        (step, batches), self.pending = self.pending, None
        outcome = self.stepper.outcome()
        went_back = self.guard.watch(
            outcome, step=step, stepper=self.stepper, batches=batches, state=self.state
        )
        self._count(outcome, step)
        if self._is_point(step + 1):
            log(self._close_window(step + 1), step + 1)
        due = time.monotonic() - self.saved > 60 * self.config.save_minutes
        if outcome.stop or (due and outcome.finite):
            self._save(step + 1)
            self.saved = time.monotonic()
        if outcome.stop:
            self._leave(step + 1, self.received)
        return went_back

    def _count(self, outcome: StepResult, step: int) -> None:
        """Add a step to the window."""
        self.window.clips += len(self.loader.positions(step))
        if outcome.finite:
            self.window.losses.append(outcome.loss)
            self.window.norms.append(outcome.norm)

    def _is_point(self, step: int) -> bool:
        """Whether the curve has a point at a step: at regular ones, at validations, at the end."""
        regular = step % max(1, self.loader.steps // CURVE_POINTS) == 0
        return regular or step == self.loader.steps or self._is_validated(step)

    def _is_validated(self, step: int) -> bool:
        """Whether an epoch ends with a step, and its model is to be validated."""
        epochs = [count // self.loader.steps_per_epoch for count in (step - 1, step)]
        return self.validate is not None and (step == self.loader.steps or epochs[0] < epochs[1])

    def _close_window(self, step: int) -> CurvePoint:
        """Add the point of the curve that ends at a step."""
        seconds = time.monotonic() - self.window.began
        row = {
            "step": float(step),
            "epoch": step / self.loader.steps_per_epoch,
            "loss": float(np.mean(self.window.losses or [np.nan])),
            "lr": self.schedule(step - 1),
            "grad_norm": float(np.mean(self.window.norms or [np.nan])),
            "clips/s": self.window.clips / seconds,
            "data_share": self.window.waited / seconds,
        }
        if self.validate and self._is_validated(step) and self.ranks.first:
            row |= {f"validation {name}": value for name, value in self.validate().items()}
            self.stepper.objective.model.train()
        self.curve.append(row)
        self.window = CurveInterval()
        return row

    def _shown(self) -> CurvePoint:
        """The figures of the progress line."""
        return {key: self.curve[-1][key] for key in ("loss", "clips/s")} if self.curve else {}

    def _save(self, step: int) -> None:
        """Write the live state, in the first process."""
        if self.ranks.first:
            self.state.save(
                {
                    "step": step,
                    "learner": self.stepper.state_dict(),
                    "skipped": self.guard.skipped,
                    "curve": self.curve,
                    "losses": self.window.losses,
                }
            )

    def _leave(self, step: int, received: list[int]) -> None:
        """End the process after a stop request, when the first one has saved."""
        self.ranks.wait()
        if self.ranks.first:
            logger.warning("stopped at step %d; the same command goes on from there", step)
        raise SystemExit(exit_status(received))

    def _resume(self) -> int:
        """Load the live state of this very run, if there is one; return the step to begin with."""
        saved = self.state.load()
        if saved is None:
            return 0
        self.stepper.load_state_dict(saved["learner"])
        self.guard.skipped = saved["skipped"]
        self.curve, self.window.losses = saved["curve"], saved["losses"]
        logger.info("%s: going on at step %d", self.label, saved["step"])
        return int(saved["step"])
