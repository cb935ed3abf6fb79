"""A run of pre-training or fine-tuning: from an objective and clips to a written checkpoint."""

import csv
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from svfap.config import OptimConfig, TrainingMachine
from svfap.config.machine import DEFAULT_MACHINE
from svfap.config.stage_sections import FinetuneJob, PretrainJob
from svfap.experiment import kept, layout
from svfap.tracking.stage_run import Log
from svfap.training import memory
from svfap.training.checkpoint import Checkpoint, Origin
from svfap.training.curve import CurvePoint
from svfap.training.distributed import joined
from svfap.training.draws import Draws
from svfap.training.loader import Loader
from svfap.training.loop import Trainer
from svfap.training.objectives import Objective
from svfap.training.state import State
from svfap.training.step import Stepper, Weights
from svfap.training.target_scale import RAW, TargetScale

CURVE = "curve.csv"


@dataclass(frozen=True)
class TrainingRun:
    """The settings and files of one training run.

    Attributes:
        job: all settings; the checkpoint records them.
        optim: the optimiser's section of `job`.
        inputs: the files that the run depends on.
        output: the checkpoint; the curve and the live state are written beside it.
        label: name of the run on the progress line.
        origin: the pre-training that the run starts from; empty if it starts from scratch.
        machine: how to use the machine; a stopped run may resume with other values.
        scale: the scale of the training clips' targets.
        finished: function that turns the trained weights into the weights of the model to keep.
    """

    job: PretrainJob | FinetuneJob
    optim: OptimConfig
    inputs: Sequence[Path]
    output: Path
    label: str
    origin: Origin = field(default_factory=Origin)
    machine: TrainingMachine = DEFAULT_MACHINE
    scale: TargetScale = RAW
    finished: Callable[[Weights], Weights] = dict

    def train(
        self,
        objective: Objective,
        draws: Draws,
        groups: list[dict[str, Any]],
        *,
        log: Log,
        validate: Callable[[], CurvePoint] | None = None,
        picture: Callable[[], None] = lambda: None,
    ) -> None:
        """Train, then write curve, checkpoint and picture in the first process.

        Args:
            objective: the model and its loss.
            draws: the training clips.
            groups: the optimiser's parameter groups.
            log: function that receives metrics.
            validate: function that computes metrics of the model at the end of an epoch, for the
                curve.
            picture: function that draws results of the trained model.

        Raises:
            SvfapError: a shard is damaged, or training diverged.
            SystemExit: a signal asked to stop; the state has been saved.
        """
        memory.keep()
        with joined() as ranks:
            stepper = Stepper(
                objective,
                groups,
                self.optim,
                ranks=ranks,
                seed=self.job.seed,
                compiled=self.machine.compile,
            )
            loader = Loader(draws, self.optim, ranks, self.machine, block=objective.block)
            place = kept.folder(self.output) / layout.STATE
            state = State(place, run_hash(self.job, self.inputs), kept.address(self.output))
            trainer = Trainer(
                stepper, loader, self.optim, state, ranks, self.label, self.machine, validate
            )
            curve = trainer.fit(log)
            if ranks.first:
                objective.model.load_state_dict(stepper.result_weights)
                write_curve(self.output.with_name(CURVE), curve)
                picture()
                self._checkpoint(stepper, draws).write(self.output)
                state.remove()
            ranks.wait()

    def _checkpoint(self, stepper: Stepper, draws: Draws) -> Checkpoint:
        """Collect the learned weights and the facts of the training clips."""
        weights = {k: v.cpu() for k, v in stepper.result_weights.items()}
        return Checkpoint(
            model=self.scale.absorbed(self.finished(weights)),
            job=self.job,
            clips=len(draws.store),
            crop=draws.store.crop,
            fps=draws.store.fps,
            origin=self.origin,
            scale=self.scale,
        )


def run_hash(job: PretrainJob | FinetuneJob, inputs: Iterable[Path]) -> str:
    """Hash the settings and the content of the input files.

    A saved state is resumed only by a run of the same hash.
    """
    digest = hashlib.sha256(job.model_dump_json().encode())
    for path in inputs:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def write_curve(path: Path, curve: Sequence[CurvePoint]) -> None:
    """Write a training curve as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(dict.fromkeys(chain(*curve))))
        writer.writeheader()
        writer.writerows({k: f"{v:.6g}" for k, v in row.items()} for row in curve)
