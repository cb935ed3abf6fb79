"""The training curve: means of a run's figures over short intervals of steps."""

import time
from dataclasses import dataclass, field

import numpy as np

from svfap.training.step import StepResult

# One row of curve.csv: column -> value. It is a dictionary, because the columns "validation ..."
# depend on the task and are missing in most rows.
CurvePoint = dict[str, float]


@dataclass
class CurveInterval:
    """Figures gathered since the last point of the curve.

    Attributes:
        losses: losses of the steps that were not skipped.
        norms: gradient norms of the same steps.
        clips: number of crops trained on.
        waited: seconds spent waiting for batches.
        began: time of the curve's last point, on the monotonic clock.
    """

    losses: list[float] = field(default_factory=list)
    norms: list[float] = field(default_factory=list)
    clips: int = 0
    waited: float = 0.0
    began: float = field(default_factory=time.monotonic)

    def add(self, result: StepResult, *, clips: int) -> None:
        """Add a completed step."""
        self.clips += clips
        if result.finite:
            self.losses.append(result.loss)
            self.norms.append(result.norm)

    def point(self, *, step: int, epoch: float, rate: float) -> CurvePoint:
        """Return the means over the interval; they are NaN if all its steps were skipped.

        Args:
            step: number of steps done.
            epoch: number of epochs done.
            rate: learning rate of the last step.
        """
        seconds = time.monotonic() - self.began
        return {
            "step": float(step),
            "epoch": epoch,
            "loss": float(np.mean(self.losses or [np.nan])),
            "lr": rate,
            "grad_norm": float(np.mean(self.norms or [np.nan])),
            "clips_per_second": self.clips / seconds,
            "data_share": self.waited / seconds,
        }
