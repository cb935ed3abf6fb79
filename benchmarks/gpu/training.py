"""Part `training`: a real pre-training for a minute, with loader, curve and a last save."""

import contextlib
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator, Mapping

import torch

from benchmarks.gpu.loading import make_loader
from benchmarks.gpu.results import Row
from benchmarks.gpu.setting import Setting
from benchmarks.ours import MASK_RATIO, make_stepper
from svfap.config import OptimConfig
from svfap.models import Autoencoder
from svfap.training import memory
from svfap.training.distributed import Ranks, device
from svfap.training.loop import CURVE_POINTS, Trainer
from svfap.training.objectives import Reconstruction
from svfap.training.state import State
from svfap.training.step import seed_everything

POINT_STEPS = 20  # steps per point of the curve; at each, the host waits for the device
SETTLED = 2  # points until the model is compiled, memory is page-locked and clocks are steady

Point = Mapping[str, float]


def measure(setting: Setting) -> Iterator[Row]:
    """Train for the set time, as the stage `pretrain` does, and report the curve's figures."""
    memory.keep()
    seed_everything(0)
    shutil.rmtree(setting.work / "training", ignore_errors=True)
    compiled = device().type == "cuda"
    trainer = _trainer(setting, compiled=compiled)
    start, points = time.monotonic(), list[Point]()
    settled = 0.0
    stop = threading.Timer(setting.sizes.training, os.kill, (os.getpid(), signal.SIGTERM))

    def log(point: Point, step: int) -> None:
        nonlocal settled
        points.append(point)
        if len(points) == SETTLED:
            settled = time.monotonic() - start
            stop.start()

    # After the signal, the trainer saves its state and exits, as in a job that is ended.
    with contextlib.suppress(SystemExit):
        trainer.fit(log)
    stop.cancel()
    row: Row = {"name": "jpeg shards, synthetic frames", "compiled": compiled}
    row |= {"workers": trainer.loader.workers, "batch": trainer.loader.batch_size}
    row |= {"settled_after_seconds": settled} | _figures(points[SETTLED:])
    row |= {"first_loss": points[0]["loss"], "last_loss": points[-1]["loss"]}
    if compiled:
        row["peak_gigabytes"] = torch.cuda.max_memory_allocated() / 1e9
    yield row


def _trainer(setting: Setting, *, compiled: bool) -> Trainer:
    """Return a trainer of the paper's pre-training whose curve has a point every few steps."""
    batch = setting.sizes.batches[0]
    clips = setting.sizes.clips["jpeg"] * setting.sizes.indexes
    every = 1 if setting.tiny else POINT_STEPS
    loader = make_loader(setting, "jpeg", None, epochs=-(-every * CURVE_POINTS * batch // clips))
    config = OptimConfig(batch_size=batch)
    objective = Reconstruction(Autoencoder(setting.sizes.model), MASK_RATIO)
    stepper = make_stepper(objective, config, compiled=compiled)
    state = State(setting.work / "training", "benchmark")
    return Trainer(stepper, loader, config, state, Ranks(), "training")


def _figures(points: list[Point]) -> Row:
    """Return clips per second and the share of time spent waiting for data, over all points."""
    if not points:
        raise RuntimeError("the training ended before its curve had enough points")
    steps = [point["step"] for point in points]
    interval = steps[1] - steps[0] if len(steps) > 1 else 1.0
    seconds = [interval / point["clips_per_second"] for point in points]  # per clip of a step
    waited = [point["data_share"] * taken for point, taken in zip(points, seconds, strict=True)]
    return {
        "points": len(points),
        "clips_per_second": interval * len(points) / sum(seconds),
        "data_share": sum(waited) / sum(seconds),
        "slowest_point": min(point["clips_per_second"] for point in points),
    }
