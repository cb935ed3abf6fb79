"""The training loop: learning-rate schedule, guard, saves, resume, stop signals, curve."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch

from svfap.config import OptimConfig, TrainingMachine
from svfap.config.machine import DEFAULT_MACHINE
from svfap.progress import Progress
from svfap.tracking.stage_run import Log
from svfap.training.batch import Batch
from svfap.training.curve import CurveInterval, CurvePoint
from svfap.training.distributed import Ranks
from svfap.training.guard import Guard
from svfap.training.interrupt import collect_stop_signals, exit_status
from svfap.training.loader import Loader
from svfap.training.optim import Schedule
from svfap.training.state import State
from svfap.training.step import Stepper

# Number of points of a run's curve; it is enough for a plot. At every point the host waits for the
# device and the metrics are recorded, so a point per step would slow down training on a GPU.
CURVE_POINTS = 500
PROGRESS_FIGURES = ("loss", "clips_per_second")

logger = logging.getLogger(__name__)


class PendingStep(NamedTuple):
    """A step whose update is queued on the device, but whose figures have not been read."""

    step: int
    batches: Sequence[Batch]


@dataclass
class Trainer:
    """Trains a model on the steps of a loader.

    The state of a run is its step, its stepper and its curve. A run that is killed and started
    again ends with the same weights as an uninterrupted run.

    Attributes:
        stepper: the model and everything that a step changes.
        loader: the batches of every step.
        config: settings of the optimiser, the section `optim`.
        state: saves of the live state on disk, to resume from.
        ranks: the processes that share the run.
        label: name of the run in the progress line and the log.
        machine: how to use the machine; `save_minutes` is for this class.
        validate: function that returns validation metrics of the model; called after every epoch.
        curve: the training curve so far.
        interval: figures of the steps since the curve's last point.
        pending: the step to complete next.
        saved: time of the last save, on the monotonic clock.
        received: stop signals received so far.
    """

    stepper: Stepper
    loader: Loader
    config: OptimConfig
    state: State
    ranks: Ranks
    label: str
    machine: TrainingMachine = DEFAULT_MACHINE
    validate: Callable[[], CurvePoint] | None = None
    curve: list[CurvePoint] = field(default_factory=list)
    interval: CurveInterval = field(default_factory=CurveInterval)
    pending: PendingStep | None = None
    saved: float = 0.0
    received: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.guard = Guard(self.config.max_skips, self.state.folder)
        self.schedule = Schedule(
            self.config, self.loader.batch_size, self.loader.steps, self.loader.steps_per_epoch
        )

    def fit(self, log: Log) -> list[CurvePoint]:
        """Train to the last step and return the training curve.

        Args:
            log: function that records the metrics of a point of the curve, at its step.

        Raises:
            SvfapError: too many successive steps had a non-finite loss or gradient.
            SystemExit: a stop signal arrived; the state has been saved.
        """
        # Leave the loader processes their cores; otherwise torch would run a thread on each core.
        torch.set_num_threads(max(1, torch.get_num_threads() - self.loader.workers))
        logger.info("%s: training on %s", self.label, self._device)
        start, steps = self._resume(), self.loader.steps
        progress = Progress(label=self.label, total=steps, start=start, shown=self.ranks.first)
        self.saved, self.interval = time.monotonic(), CurveInterval(losses=self.interval.losses)
        with collect_stop_signals() as self.received:
            loading = self.loader.load(start)
            for step in range(start, steps):
                batches = self._next_batches(loading)
                # Queue this step's gradient before completing the previous step, so that the device
                # has work while the host waits for the previous step's figures.
                self.stepper.accumulate(batches)
                rolled_back = self._complete_pending(log)
                if rolled_back:
                    # The roll-back has dropped the gradient, since it belongs to the old weights.
                    # Accumulate it again with the restored weights.
                    self.stepper.accumulate(batches)
                self.stepper.update(self.schedule(step), stop=bool(self.received))
                self.pending = PendingStep(step, batches)
                if self._is_point(step + 1):
                    # A point needs the weights and figures of exactly this step: wait for it now.
                    self._complete_pending(log)
                progress.advance(figures=self._progress_figures())
        progress.close()
        return self.curve

    def _next_batches(self, loading: Iterator[list[Batch]]) -> list[Batch]:
        """Return the next step's batches and count the time spent waiting for them."""
        asked = time.monotonic()
        batches = next(loading)
        self.interval.waited += time.monotonic() - asked
        return batches

    def _complete_pending(self, log: Log) -> bool:
        """Complete the pending step: check, count and log its figures, save, stop.

        Returns:
            Whether the weights were rolled back to the last save.

        Raises:
            SvfapError: too many successive steps had a non-finite loss or gradient.
            SystemExit: a stop signal arrived; the state has been saved.
        """
        if self.pending is None:
            return False
        (step, batches), self.pending = self.pending, None
        result = self.stepper.complete()
        rolled_back = self.guard.check(
            result, step=step, stepper=self.stepper, batches=batches, state=self.state
        )
        self.interval.add(result, clips=len(self.loader.positions(step)))
        if self._is_point(step + 1):
            log(self._add_point(step + 1), step + 1)
        due = time.monotonic() - self.saved > 60 * self.machine.save_minutes
        # After a skipped step the weights may be bad: keep the last save, to roll back to it.
        if result.stop or (due and result.finite):
            self._save(step + 1)
            self.saved = time.monotonic()
        if result.stop:
            self._exit(step + 1)
        return rolled_back

    def _is_point(self, step: int) -> bool:
        """Return whether the curve gets a point when `step` steps are done."""
        regular = step % max(1, self.loader.steps // CURVE_POINTS) == 0
        return regular or step == self.loader.steps or self._is_validated(step)

    def _is_validated(self, step: int) -> bool:
        """Return whether the model is validated after `step` steps, at the end of an epoch."""
        epochs = [count // self.loader.steps_per_epoch for count in (step - 1, step)]
        return self.validate is not None and (step == self.loader.steps or epochs[0] < epochs[1])

    def _add_point(self, step: int) -> CurvePoint:
        """Add a point to the curve and begin the next interval."""
        point = self.interval.point(
            step=step,
            epoch=step / self.loader.steps_per_epoch,
            rate=self.schedule(step - 1),
        )
        if self.ranks.first and self._is_validated(step):
            point |= self._validation_figures()
        self.curve.append(point)
        self.interval = CurveInterval()
        return point

    def _validation_figures(self) -> CurvePoint:
        """Validate the model and return its metrics; the model stays in training mode."""
        metrics = self.validate() if self.validate else {}
        self.stepper.objective.model.train()  # validation switches to evaluation mode
        return {f"validation {name}": value for name, value in metrics.items()}

    def _progress_figures(self) -> CurvePoint:
        """Return the figures that the progress line shows."""
        last = self.curve[-1] if self.curve else {}  # an earlier version may have saved it
        return {key: last[key] for key in PROGRESS_FIGURES if key in last}

    def _save(self, step: int) -> None:
        """Save the live state when `step` steps are done, in the first process only."""
        if self.ranks.first:
            self.state.save(
                {
                    "step": step,
                    "device": self._device,
                    "learner": self.stepper.state_dict(),
                    "skipped": self.guard.skipped,
                    "curve": self.curve,
                    "losses": self.interval.losses,
                }
            )

    @property
    def _device(self) -> str:
        """The kind of device and the type of its matrix products, which rounding depends on."""
        dtype = str(self.stepper.dtype or torch.float32).removeprefix("torch.")
        return f"{self.ranks.device.type} in {dtype}"

    def _exit(self, step: int) -> None:
        """Exit because of a stop signal, once the first process has saved."""
        self.ranks.wait()
        if self.ranks.first:
            logger.warning("stopped at step %d; run the same command again to resume", step)
        raise SystemExit(exit_status(self.received))

    def _resume(self) -> int:
        """Load the live state if this run has one; return the number of steps done."""
        saved = self.state.load()
        if saved is None:
            return 0
        self.stepper.load_state_dict(saved["learner"])
        self.guard.skipped = saved["skipped"]
        self.curve, self.interval.losses = saved["curve"], saved["losses"]
        logger.info("%s: resuming at step %d", self.label, saved["step"])
        before = saved.get("device", self._device)  # version 0.1.0 did not record it
        if before != self._device:
            logger.warning(
                "%s: resuming on %s what began on %s; the weights will differ by rounding",
                self.label,
                self._device,
                before,
            )
        return int(saved["step"])
