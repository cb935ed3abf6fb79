"""Rates of loading and learning: a few real steps of every training stage."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from svfap.config import OptimConfig
from svfap.evaluation.scoring import predict
from svfap.experiment.resolve import Experiment
from svfap.planning import multiply_adds
from svfap.planning.timing import Steps, silent, timed
from svfap.planning.trainings import BACKWARD
from svfap.shards.store import ClipStore
from svfap.stages import finetune, pretrain
from svfap.training import checkpoint

FOLD = "fold"
COPIES = 5  # of the eight clips
WORK = 4e11  # multiply-adds that a training is timed on, more or less
STEPS = (3, 40)  # fewest and most
Train = Callable[[OptimConfig, Steps], None]


def rates(plan: Experiment, name: str, folder: Path) -> dict[str, float]:
    """Rates of pre-training, fine-tuning, evaluation and tabulation.

    Args:
        plan: the configuration.
        name: the dataset whose recipe is taken.
        folder: where the face clips and shards of the calibration lie.

    Raises:
        SvfapError: a stage fails.
    """
    torch.set_num_threads(1)
    bench = Bench(plan, name, folder)
    return bench.pretraining() | bench.tuning() | bench.scoring() | bench.tables()


@dataclass
class Bench:
    """The stages on the clips of a calibration, laid out as the pipeline lays them out."""

    plan: Experiment
    name: str
    folder: Path

    def __post_init__(self) -> None:
        self.job = self.plan.finetune(self.name)
        self.shards = self._shards()
        self.learnt = self.folder / "pretrain" / "checkpoint.pt"
        self.tuned = self.folder / "finetune" / self.name / FOLD / "checkpoint.pt"
        self.scored = self.folder / "evaluate" / self.name / FOLD / "predictions.parquet"
        for path in (self.learnt, self.tuned, self.scored):
            path.parent.mkdir(parents=True, exist_ok=True)
        model = self.plan.config.model
        self.cost = multiply_adds.finetune(model, len(self.job.targets)).multiply_adds / 1e9

    def pretraining(self) -> dict[str, float]:
        """Loading, steps and the rest of pre-training."""
        job, output = self.plan.pretrain(), self.learnt
        cost = multiply_adds.pretrain(job.model, job.pretrain.mask_ratio).multiply_adds / 1e9

        def train(optim: OptimConfig, log: Steps) -> None:
            settings = job.pretrain.model_copy(update={"optim": optim, "fraction": 1.0})
            chosen = job.model_copy(update={"pretrain": settings})
            pretrain.run(chosen, shards=self.shards, output=output, log=log)

        rest, load, step = self._steps(train, job.pretrain.optim, cost)
        return {"pretraining begun": rest, "load pretrain": load, "step pretrain": step}

    def tuning(self) -> dict[str, float]:
        """Loading, steps and the rest of fine-tuning, from scratch."""

        def train(optim: OptimConfig, log: Steps) -> None:
            changes = {"optim": optim, "fraction": 1.0, "init": "scratch"}
            settings = self.job.finetune.model_copy(update=changes)
            chosen = self.job.model_copy(update={"finetune": settings})
            finetune.run(chosen, pretrained=[], shards=self.shards, validation=[],
                         output=self.tuned, log=log)  # fmt: skip

        rest, load, step = self._steps(train, self.job.finetune.optim, self.cost)
        return {"fine-tuning begun": rest, "load finetune": load, "step finetune": step}

    def scoring(self) -> dict[str, float]:
        """Loading, forward passes and pictures of an evaluation."""
        model = self.plan.config.model
        once = self.shards[:1]
        config = self.plan.evaluate(self.name)
        done = {}

        def evaluate() -> None:
            from svfap.stages import evaluate

            arguments = {"dataset": self.name, "fold": FOLD, "model": self.tuned}
            evaluate.run(config, **arguments, shards=once, output=self.scored, log=silent)  # type: ignore[arg-type]
            done["model"] = checkpoint.load_model(self.tuned)

        whole = timed(evaluate)
        network, job = done["model"]
        store = ClipStore(once)
        reads = partial(store.frames, indices=list(range(model.num_frames)))
        load = timed(lambda: [reads(clip) for clip in range(len(store))]) / len(store)
        one = config.model_copy(update={"views": 1})
        passes = timed(lambda: predict(network, store, job, one, shown=False))
        return {
            "load evaluate": load / model.num_frames,
            "step evaluate": (passes / len(store) - load) / self.cost,
            "pictures": max(0.0, whole - config.views * passes),
        }

    def tables(self) -> dict[str, float]:
        """Tables and figures of one fold."""
        config = self.plan.tabulate()
        facts = config.datasets[self.name].model_copy(update={"folds": (FOLD,)})
        config = config.model_copy(update={"datasets": {self.name: facts}, "runs": {}})

        def tabulate() -> None:
            from svfap.stages import tabulate

            tables = self.folder / "tables"
            curves = [self.tuned.with_name("curve.csv")]
            crops = [self.folder / "crops" / "clips.csv"]
            tabulate.run(config, predictions=[self.scored], curves=curves, crops=crops,
                         costs=tables / "costs.csv", output=tables / "benchmark.md",
                         log=silent)  # fmt: skip

        return {"tables": timed(tabulate)}

    def _steps(self, train: Train, optim: OptimConfig, cost: float) -> tuple[float, float, float]:
        """CPU seconds of beginning and ending, of loading a frame, and of 1e9 multiply-adds.

        Args:
            train: runs the stage.
            optim: its section; as many clips a step as the work allows.
            cost: 1e9 multiply-adds of a clip's forward pass.
        """
        model, clips = self.plan.config.model, len(ClipStore(self.shards))
        work = (1 + BACKWARD) * cost
        batch = int(min(optim.batch_size, clips, max(2, WORK / 1e9 / work / STEPS[0])))
        batch -= batch % 2
        steps = min(max(STEPS[0], WORK / 1e9 / work / batch), STEPS[1])
        changes = {
            "batch_size": batch, "epochs": max(1, round(steps * batch / clips)), "workers": 0,
            "device_batch": None, "warmup_epochs": 0,
        }  # fmt: skip
        log = Steps()
        whole = timed(lambda: train(optim.model_copy(update=changes), log))
        load, step = log.split(batch)
        return whole - log.lasted, load / optim.repeats / model.num_frames, step / work

    def _shards(self) -> list[Path]:
        """The index several times over, with targets that fit the dataset."""
        index = self.folder / "shards" / "index.parquet"
        table = pq.read_table(index)
        count = len(self.job.targets)
        if self.job.task == "regression":
            targets = [[0.5] * count] * len(table)
        else:
            targets = [[float(number % count)] for number in range(len(table))]
        place = table.schema.get_field_index("target")
        column = pa.array(targets, table.schema.field("target").type)
        pq.write_table(table.set_column(place, table.schema.field("target"), column), index)
        return [index] * COPIES
