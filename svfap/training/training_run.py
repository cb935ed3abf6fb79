"""What pre-training and fine-tuning share: from an objective and clips to a written checkpoint."""

import csv
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from svfap.config import OptimConfig
from svfap.config.stage_sections import FinetuneJob, PretrainJob
from svfap.tracking.stage_run import Log
from svfap.training import checkpoint, memory
from svfap.training.curve import CurvePoint
from svfap.training.distributed import joined
from svfap.training.draws import Draws
from svfap.training.loader import Loader
from svfap.training.loop import Trainer
from svfap.training.objectives import Objective
from svfap.training.state import State
from svfap.training.step import Stepper

STATE = "state"
CURVE = "curve.csv"
MACHINE = {"workers", "save_minutes", "device_batch", "compile"}


@dataclass(frozen=True)
class TrainingRun:
    """One training run.

    Attributes:
        job: all settings; they go into the checkpoint.
        optim: the optimiser's section of them.
        inputs: the files that the run depends on.
        output: the checkpoint; the curve and the live state lie beside it.
        label: what the progress line calls the run.
        origin: what is known of the checkpoint that it begins with.
    """

    job: PretrainJob | FinetuneJob
    optim: OptimConfig
    inputs: Sequence[Path]
    output: Path
    label: str
    origin: Mapping[str, Any] = field(default_factory=dict)

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
            draws: the clips to learn from.
            groups: the optimiser's parameter groups.
            log: takes metrics.
            validate: figures of the model at the end of an epoch, for the curve.
            picture: draws what the finished model does.

        Raises:
            SvfapError: a shard is damaged, or training diverged.
            SystemExit: a signal asked to stop; the state has been saved.
        """
        memory.keep()
        with joined() as ranks:
            stepper = Stepper(objective, groups, self.optim, ranks=ranks, seed=self.job.seed)
            loader = Loader(draws, self.optim, ranks)
            state = State(self.output.parent / STATE, identity(self.job, self.inputs))
            trainer = Trainer(stepper, loader, self.optim, state, ranks, self.label, validate)
            curve = trainer.fit(log)
            if ranks.first:
                objective.model.load_state_dict(stepper.learned)
                write_curve(self.output.with_name(CURVE), curve)
                picture()
                content = checkpoint.provenance() | {
                    "model": {k: v.cpu() for k, v in stepper.learned.items()},
                    "config": self.job.model_dump(mode="json"),
                    "clips": len(draws.store),
                    "crop": draws.store.crop,
                    "fps": draws.store.fps,
                    "origin": dict(self.origin),
                }
                checkpoint.save(self.output, content)
                state.remove()
            ranks.wait()


def identity(job: PretrainJob | FinetuneJob, inputs: Iterable[Path]) -> str:
    """Hash of the settings and of the content of the input files.

    What belongs to the machine is left out: a run may go on with more loader processes.
    """
    text = job.model_dump_json(
        exclude={"pretrain": {"optim": MACHINE}, "finetune": {"optim": MACHINE}}
    )
    digest = hashlib.sha256(text.encode())
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
