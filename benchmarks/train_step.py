"""Training steps: ours against the authors' model, in one process, with the same work.

On a CPU both compute in float32 and CPU time is measured. On a GPU theirs computes in fp16 with a
loss scale, ours in bf16 and compiled, and the device's time is measured. `--full` takes more rounds
and adds our step with half of the masked tokens as targets, which is less work; on a GPU it also
adds the memory of large batches.
"""

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.common import Headline, cpu_seconds, device_clock, report, spread
from benchmarks.reference import (
    PLAIN,
    THEIRS,
    Steps,
    finetune_model,
    make_model_parser,
    pretrain_model,
)
from svfap.config import FinetuneConfig, ModelConfig, OptimConfig
from svfap.models import Autoencoder, VideoModel
from svfap.models.cost import finetune_cost, pretrain_cost, skipped_multiply_adds
from svfap.training.batch import Batch
from svfap.training.distributed import Ranks, device
from svfap.training.objectives import Classification, Objective, Reconstruction
from svfap.training.optim import parameter_groups
from svfap.training.step import Stepper

MASK_RATIO, CLASSES = 0.9, 7
OURS, HALF = "ours", "ours, half of the targets"
LARGE = 64, 256  # clips per batch, to measure memory on a GPU
UNMIXED = {"mixup": 0.0, "cutmix": 0.0, "erasing": 0.0, "label_smoothing": 0.0}


def main() -> None:
    """Measure all contenders and report the results."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = make_model_parser(__doc__ or "")
    parser.add_argument("--compile", action="store_true", help="compile our model on a CPU too")
    parser.set_defaults(batch=4)
    given = parser.parse_args()
    torch.set_num_threads(1)
    bench = StepBenchmark(
        ModelConfig(**json.loads(given.model)),
        given.batch,
        given.reference,
        compiled=given.compile or device().type == "cuda",
    )
    rounds = given.rounds or (12 if given.full else 2)
    rows = bench.pretrain(rounds, half=given.full) + bench.finetune(max(1, rounds // 2))
    if given.full and bench.device.type == "cuda":
        rows += [bench.memory(batch) for batch in LARGE]
    theirs, ours = rows[:2]
    headline = Headline(
        f"pre-training step, {bench.batch} clips, against {theirs['name']}",
        ours["ms_per_clip"],
        "ms/clip",
        theirs["ms_per_clip"],
        ours["ratio"],
    )
    report(headline, rows, path=given.json)


class StepBenchmark:
    """Benchmark of training steps, for models of the same sizes and on the same clips of noise."""

    def __init__(
        self, config: ModelConfig, batch: int, checkout: Path | None, *, compiled: bool
    ) -> None:
        self.config, self.batch, self.checkout = config, batch, checkout
        self.device, self.compiled = device(), compiled
        self.theirs = PLAIN if checkout is None else THEIRS
        self.peak = _matmul_rate(self.device)

    def pretrain(self, rounds: int, *, half: bool) -> list[dict[str, Any]]:
        """Measure the pre-training step; return a row per contender."""
        frames, labels = self._clips(self.batch)
        steps = Steps(pretrain_model(self.config, self.checkout), self.device)
        contenders: dict[str, Callable[[], object]] = {
            self.theirs: lambda: steps.pretrain(frames, self.config, MASK_RATIO),
            OURS: self._reconstruction(Batch(frames, labels), 1.0),
        }
        shares = {OURS: 1.0}
        if half:
            contenders[HALF] = self._reconstruction(Batch(frames, labels), 0.5)
            shares[HALF] = 0.5
        work = {
            name: pretrain_cost(self.config, MASK_RATIO, share).multiply_adds
            - skipped_multiply_adds(self.config, MASK_RATIO, share)
            for name, share in shares.items()
        }
        return self._rows("pretrain", contenders, rounds, work)

    def finetune(self, rounds: int) -> list[dict[str, Any]]:
        """Measure the fine-tuning step; return a row per contender.

        The batch has half of the clips, since the step is three times the work. Their number is
        even, since training repeats a clip of an odd batch.
        """
        frames, targets = self._clips(max(2, self.batch // 4 * 2))
        steps = Steps(finetune_model(self.config, CLASSES, self.checkout), self.device)
        model = VideoModel(self.config, CLASSES)
        ours = self._stepper(Classification(model, FinetuneConfig(**UNMIXED)))
        labels = targets[:, 0].long()
        contenders: dict[str, Callable[[], object]] = {
            self.theirs: lambda: steps.finetune(frames, labels),
            OURS: lambda: _pipelined(ours, Batch(frames, targets)),
        }
        work = {OURS: finetune_cost(self.config, CLASSES).multiply_adds}
        return self._rows("finetune", contenders, rounds, work, clips=len(frames))

    def memory(self, batch: int) -> dict[str, Any]:
        """Measure the peak memory of our pre-training step with a large batch, on a GPU."""
        frames, labels = self._clips(batch)
        step = self._reconstruction(Batch(frames, labels), 1.0)
        torch.cuda.reset_peak_memory_stats()
        step()
        peak = torch.cuda.max_memory_allocated() / 2**30
        return {"task": f"pretrain, batch {batch}", "name": OURS, "peak_gigabytes": peak}

    def _rows(
        self,
        task: str,
        contenders: dict[str, Callable[[], object]],
        rounds: int,
        work: dict[str, int],
        clips: int | None = None,
    ) -> list[dict[str, Any]]:
        clock = device_clock if self.device.type == "cuda" else time.process_time
        taken = cpu_seconds(contenders, rounds=rounds, clock=clock)
        baseline = spread(taken[self.theirs])["median"]
        rows = []
        for name, seconds in taken.items():
            figures, count = spread(seconds), clips or self.batch
            row = {"task": task, "name": name, "ms_per_clip": figures["median"] / count * 1e3}
            row |= {key: figures[key] / count * 1e3 for key in ("least", "greatest")}
            row["ratio"] = baseline / figures["median"]
            if name in work:
                # A multiply-add is two operations; the backward pass costs twice the forward pass.
                rate = 6 * work[name] * count / figures["median"]
                row["share_of_matmul_rate"] = rate / self.peak
            rows.append(row)
        return rows

    def _clips(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        config = self.config
        shape = (count, config.num_frames, config.image_size, config.image_size, 3)
        frames = torch.randint(0, 256, shape, dtype=torch.uint8, device=self.device)
        return frames, torch.zeros(count, 1, device=self.device)

    def _reconstruction(self, batch: Batch, share: float) -> Callable[[], None]:
        stepper = self._stepper(Reconstruction(Autoencoder(self.config), MASK_RATIO, share))
        return lambda: _pipelined(stepper, batch)

    def _stepper(self, objective: Objective) -> Stepper:
        groups = parameter_groups(objective.model, weight_decay=0.05)
        ranks, compiled = Ranks(device=self.device), self.compiled
        return Stepper(objective, groups, OptimConfig(), ranks=ranks, seed=0, compiled=compiled)


def _pipelined(stepper: Stepper, batch: Batch) -> None:
    """Take a step without waiting for its result, as the training loop does."""
    stepper.accumulate([batch])
    stepper.update(1e-5)


def _matmul_rate(where: torch.device) -> float:
    """Measure operations per second of a large matrix product: bf16 on a GPU, else float32."""
    gpu = where.type == "cuda"
    size, dtype = (8192, torch.bfloat16) if gpu else (2048, torch.float32)
    a = torch.randn(size, size, device=where, dtype=dtype)
    clock = device_clock if gpu else time.process_time
    (taken,) = cpu_seconds({"": lambda: a @ a}, rounds=5, clock=clock).values()
    return 2 * size**3 / min(taken)


if __name__ == "__main__":
    main()
