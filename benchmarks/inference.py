"""Inference: clips per second of our fine-tuned model and the authors', in one process.

On a CPU both compute in float32 and CPU time is measured. On a GPU theirs computes in fp16 as in
their evaluation, and ours as `evaluate` does. `--compile` adds our compiled model, `--full` more
rounds.
"""

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.common import Headline, cpu_seconds, device_clock, report, spread
from benchmarks.reference import PLAIN, THEIRS, finetune_model, make_model_parser
from svfap.config import ModelConfig
from svfap.models import VideoModel
from svfap.training.distributed import device
from svfap.training.objectives import Classification, normalise, unit_range

CLASSES = 7
OURS, COMPILED = "ours", "ours, compiled"


def main() -> None:
    """Measure all contenders and report the results."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = make_model_parser(__doc__ or "")
    parser.add_argument("--compile", action="store_true", help="also measure our compiled model")
    given = parser.parse_args()
    torch.set_num_threads(1)
    config = ModelConfig(**json.loads(given.model))
    theirs = PLAIN if given.reference is None else THEIRS
    contenders = _contenders(config, given.batch, given.reference, compiled=given.compile)
    clock = device_clock if device().type == "cuda" else time.process_time
    taken = cpu_seconds(contenders, rounds=given.rounds or (20 if given.full else 5), clock=clock)
    baseline = spread(taken[theirs])["median"]
    rows = [
        {
            "name": name,
            "clips_per_second": given.batch / figures["median"],
            "least": given.batch / figures["greatest"],
            "greatest": given.batch / figures["least"],
            "ratio": baseline / figures["median"],
        }
        for name, figures in ((name, spread(seconds)) for name, seconds in taken.items())
    ]
    ours = rows[1]
    headline = Headline(
        f"inference against {theirs}",
        float(ours["clips_per_second"]),
        "clips/s",
        float(rows[0]["clips_per_second"]),
        float(ours["ratio"]),
    )
    report(headline, rows, path=given.json)


def _contenders(
    config: ModelConfig, batch: int, checkout: Path | None, *, compiled: bool
) -> dict[str, Callable[[], object]]:
    """Return functions that score the same frames, (B, T, H, W, 3) uint8, with each model."""
    where = device()
    shape = (batch, config.num_frames, config.image_size, config.image_size, 3)
    frames = torch.randint(0, 256, shape, dtype=torch.uint8, device=where)
    reference = finetune_model(config, CLASSES, checkout).to(where).eval()
    model = VideoModel(config, CLASSES).to(where).eval()

    @torch.no_grad()
    def theirs() -> None:
        with torch.autocast(where.type, torch.float16, enabled=where.type == "cuda"):
            reference(normalise(unit_range(frames))).float().softmax(dim=1).cpu()

    def ours(forward: Callable[..., torch.Tensor]) -> Callable[[], object]:
        @torch.inference_mode()
        def score() -> None:
            Classification.scores(forward(normalise(unit_range(frames)))).cpu()

        return score

    found: dict[str, Callable[[], object]] = {
        PLAIN if checkout is None else THEIRS: theirs,
        OURS: ours(model),
    }
    if compiled:
        found[COMPILED] = ours(torch.compile(model, fullgraph=True))
    return found


if __name__ == "__main__":
    main()
