"""What happens when a loss is not finite: skip, go back to the last save, stop; keep the batch."""

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

ROLL_BACK_AFTER = 3

logger = logging.getLogger(__name__)


@dataclass
class Guard:
    """Watches over the steps of a run.

    A step without a finite loss and gradient changes nothing. The third in a row sends the weights
    and the optimiser back to the last save, while data and schedule go on; one too many ends the
    run. The batch that began it is kept for `replay`.

    Attributes:
        limit: how many steps in a row may be skipped.
        folder: where the batch is kept.
        skipped: how many steps in a row have been.
    """

    limit: int
    folder: Path
    skipped: int = 0

    def watch(
        self,
        outcome: StepResult,
        *,
        step: int,
        stepper: Stepper,
        batches: Sequence[Batch],
        state: State,
    ) -> bool:
        """Act on what came of a step, before the next one changes the weights.

        Returns:
            Whether the weights went back to the last save.

        Raises:
            SvfapError: the limit is reached.
        """
        if outcome.finite:
            self.skipped = 0
            return False
        self.skipped += 1
        if self.skipped == 1:
            self._keep(stepper, batches, step)
        figures = f"loss {outcome.loss:g}, gradient norm {outcome.norm:g}"
        if self.skipped >= self.limit:
            raise SvfapError(
                f"{self.skipped} steps in a row until step {step} had no finite loss ({figures});"
                f" the first such batch is in {self._file(stepper)}; lower optim.lr, set"
                " optim.clip_grad to 1.0 or optim.precision to fp32"
            )
        logger.warning("step %d is skipped (%s)", step, figures)
        if self.skipped == ROLL_BACK_AFTER and (saved := state.load()):
            stepper.load_state_dict(saved["learner"])
            logger.warning("going back to the weights of step %d", saved["step"])
            return True
        return False

    def _file(self, stepper: Stepper) -> Path:
        return self.folder / f"nonfinite-{stepper.ranks.rank}.pt"

    def _keep(self, stepper: Stepper, batches: Sequence[Batch], step: int) -> None:
        """Write what is needed to compute the loss once more."""
        content: dict[str, Any] = tensor_file.provenance() | {
            "step": step,
            "batches": [vars(batch) for batch in batches],
            "learner": stepper.state_dict(),
        }
        tensor_file.write(self._file(stepper), content)


def replay(path: Path, stepper: Stepper) -> list[float]:
    """Losses of the portions of a kept step, computed as they were, to look for the cause.

    Backward passes run under `torch.autograd.detect_anomaly`, which names the operation whose
    gradient is not a number.

    Raises:
        RuntimeError: such an operation was found.
    """
    saved: Mapping[str, Any] = tensor_file.read(path)
    stepper.load_state_dict(saved["learner"])
    losses = []
    with warnings.catch_warnings(action="ignore"), torch.autograd.detect_anomaly():
        for kept in saved["batches"]:
            loss = stepper.loss(Batch(**kept))
            losses.append(loss.item())
            loss.backward()
    return losses
