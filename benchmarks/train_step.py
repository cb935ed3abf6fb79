"""Training steps: ours against the authors' model, in one process, with the same work.

On a CPU both compute in float32 and CPU time is measured. On a GPU theirs computes in fp16 with a
loss scale, ours in bf16 and compiled, and the device's time is measured. `--full` takes more rounds
and adds our step with half of the masked tokens as targets, which is less work. `benchmarks.gpu`
measures large batches on a GPU.
"""

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.common import Headline, cpu_seconds, device_clock, report, spread
from benchmarks.ours import (
    CLASSES,
    MASK_RATIO,
    finetune_step,
    noise,
    operations,
    pretrain_step,
)
from benchmarks.reference import (
    PLAIN,
    THEIRS,
    Steps,
    finetune_model,
    make_model_parser,
    pretrain_model,
)
from svfap.config import ModelConfig
from svfap.training.distributed import device

OURS, HALF = "ours", "ours, half of the targets"


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
        config, frames = self.config, noise(self.config, self.batch)
        steps = Steps(pretrain_model(config, self.checkout), self.device)
        contenders: dict[str, Callable[[], object]] = {
            self.theirs: lambda: steps.pretrain(frames, config, MASK_RATIO),
            OURS: pretrain_step(config, frames, compiled=self.compiled),
        }
        work = {OURS: operations(config, "pretrain")}
        if half:
            contenders[HALF] = pretrain_step(config, frames, compiled=self.compiled, share=0.5)
            work[HALF] = operations(config, "pretrain", 0.5)
        return self._rows("pretrain", contenders, rounds, work)

    def finetune(self, rounds: int) -> list[dict[str, Any]]:
        """Measure the fine-tuning step; return a row per contender.

        The batch has half of the clips, since the step is three times the work. Their number is
        even, since training repeats a clip of an odd batch.
        """
        frames = noise(self.config, max(2, self.batch // 4 * 2))
        labels = torch.zeros(len(frames), dtype=torch.long, device=self.device)
        steps = Steps(finetune_model(self.config, CLASSES, self.checkout), self.device)
        contenders: dict[str, Callable[[], object]] = {
            self.theirs: lambda: steps.finetune(frames, labels),
            OURS: finetune_step(self.config, frames, compiled=self.compiled),
        }
        work = {OURS: operations(self.config, "finetune")}
        return self._rows("finetune", contenders, rounds, work, clips=len(frames))

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
                rate = work[name] * count / figures["median"]
                row["share_of_matmul_rate"] = rate / self.peak
            rows.append(row)
        return rows


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
