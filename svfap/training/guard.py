"""Steps with a non-finite loss or gradient: skip, roll back, stop, and save the batch."""

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from svfap.errors import SvfapError
from svfap.training import tensor_file
from svfap.training.batch import Batch
from svfap.training.state import State
from svfap.training.step import Stepper, StepResult

# This number is not from the paper. One or two such steps may be due to odd batches; three in a row
# point to bad weights. It is below the default of `optim.max_skips`, 10, so that the run goes on
# after a roll-back.
ROLL_BACK_AFTER = 3

logger = logging.getLogger(__name__)


@dataclass
class Guard:
    """The response to steps with a non-finite loss or gradient.

    The stepper skips such a step: the weights stay as they are. After three such steps in a row,
    the guard restores weights and optimiser from the last save; data and learning rate continue.
    After `limit` in a row, it stops the run. It saves the batches of the first such step for
    `replay`.

    Attributes:
        limit: number of successive skipped steps that stops the run.
        folder: folder for the saved batches.
        skipped: number of successive steps skipped so far.
    """

    limit: int
    folder: Path
    skipped: int = 0

    def check(
        self,
        result: StepResult,
        *,
        step: int,
        stepper: Stepper,
        batches: Sequence[Batch],
        state: State,
    ) -> bool:
        """Act on the result of a step, before the next step changes the weights.

        Returns:
            Whether the weights were rolled back to the last save.

        Raises:
            SvfapError: the limit is reached.
        """
        if result.finite:
            self.skipped = 0
            return False
        self.skipped += 1
        if self.skipped == 1:
            self._save_batches(stepper, batches, step)
        figures = f"loss {result.loss:g}, gradient norm {result.norm:g}"
        if self.skipped >= self.limit:
            raise SvfapError(
                f"{self.skipped} steps in a row up to step {step} had a non-finite loss or gradient"
                f" ({figures}); the first such batch is saved in {self._file(stepper)}; lower"
                " optim.lr, set optim.clip_grad to 1.0 or optim.precision to fp32"
            )
        logger.warning("skipped step %d (%s)", step, figures)
        if self.skipped == ROLL_BACK_AFTER and (saved := state.load()):
            stepper.load_state_dict(saved["learner"])
            logger.warning("rolled back to the weights of step %d", saved["step"])
            return True
        return False

    def _file(self, stepper: Stepper) -> Path:
        return self.folder / f"nonfinite-{stepper.ranks.rank}.pt"

    def _save_batches(self, stepper: Stepper, batches: Sequence[Batch], step: int) -> None:
        """Save everything that `replay` needs to compute the loss again."""
        content: dict[str, Any] = tensor_file.provenance() | {
            "step": step,
            "batches": [batch.to_dict() for batch in batches],
            "learner": stepper.state_dict(),
        }
        tensor_file.write(self._file(stepper), content)


def replay(path: Path, stepper: Stepper) -> list[float]:
    """Compute the losses of a saved step's batches again, and return them.

    To find the cause, backward passes run under `torch.autograd.detect_anomaly`. It names the
    operation whose gradient is NaN.

    Raises:
        RuntimeError: the gradient of an operation is NaN.
    """
    saved: Mapping[str, Any] = tensor_file.read(path)
    stepper.load_state_dict(saved["learner"])
    losses = []
    # detect_anomaly warns that it is slow.
    with warnings.catch_warnings(action="ignore"), torch.autograd.detect_anomaly():
        for content in saved["batches"]:
            loss = stepper.seeded_loss(Batch.from_dict(content))
            losses.append(loss.item())
            loss.backward()
    return losses
