"""Part `steps`: training steps and inference, eager and compiled, against the authors' models."""

import gc
import logging
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from benchmarks.gpu.results import Row, peak_rate, read
from benchmarks.gpu.setting import Setting
from benchmarks.gpu.timing import now, seconds_per_call
from benchmarks.ours import (
    CLASSES,
    MASK_RATIO,
    Task,
    finetune_step,
    noise,
    operations,
    pretrain_step,
)
from benchmarks.reference import PLAIN, THEIRS, Steps, finetune_model, pretrain_model
from svfap.models import VideoModel
from svfap.training.distributed import device
from svfap.training.objectives import Classification, normalise, unit_range
from svfap.training.step import HostCopy

EAGER, COMPILED = "ours, eager", "ours, compiled"
TASKS: tuple[Task, ...] = ("pretrain", "finetune", "inference")

logger = logging.getLogger(__name__)


def measure(setting: Setting) -> Iterator[Row]:
    """Measure every task at every batch size, the slow compilation last.

    Eager and compiled training steps begin with the same weights and clips. So their first losses
    and gradients are equal, up to rounding.
    """
    batches = [b for b in setting.sizes.batches if setting.batch in (None, b)]
    theirs = PLAIN if setting.reference is None else THEIRS
    peak = peak_rate(read(setting.out))
    plan = [(task, name, b) for task in TASKS for b in batches for name in (EAGER, theirs)]
    plan += [(task, COMPILED, b) for b in batches for task in TASKS]
    for task, name, batch in plan:
        row: Row = {"task": task, "name": name, "batch": batch}
        try:
            row |= _measure(setting, task, name, batch)
        except Exception as error:  # out of memory, or a kernel that cannot be compiled
            logger.exception("%s, %s, batch %d", task, name, batch)
            row["error"] = repr(error)[:200]
        if peak and "clips_per_second" in row and name != theirs:
            rate = row["clips_per_second"] * operations(setting.sizes.model, task)
            row["share_of_peak"] = rate / peak
        yield row


def _measure(setting: Setting, task: Task, name: str, batch: int) -> Row:
    """Measure clips per second and peak memory of one contender."""
    gc.collect()  # the previous contender's model
    torch._dynamo.reset()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    torch.manual_seed(0)
    call = _contender(setting, task, name, batch)
    start = now()
    result = call()
    first = now() - start
    taken = seconds_per_call(call, window=setting.sizes.window / 2)
    row = {
        "clips_per_second": batch / taken["median"],
        "least": batch / taken["greatest"],
        "greatest": batch / taken["least"],
        "first_call_seconds": first,
    }
    if isinstance(result, HostCopy):
        row["first_loss"], row["first_norm"], *_ = result.wait()
    if torch.cuda.is_available():
        row["peak_gigabytes"] = torch.cuda.max_memory_allocated() / 1e9
    return row


def _contender(setting: Setting, task: Task, name: str, batch: int) -> Callable[[], object]:
    """Return a function that takes a step, or scores a batch."""
    config = setting.sizes.model
    frames, where, compiled = noise(config, batch), device(), name == COMPILED
    ours = name in (EAGER, COMPILED)
    if task == "inference":
        if not ours:
            return _scoring(finetune_model(config, CLASSES, setting.reference), frames, "theirs")
        model = VideoModel(config, CLASSES)
        return _scoring(model, frames, "compiled" if compiled else "eager")
    if ours:
        step = pretrain_step if task == "pretrain" else finetune_step
        return step(config, frames, compiled=compiled)
    if task == "pretrain":
        steps = Steps(pretrain_model(config, setting.reference), where)
        return lambda: steps.pretrain(frames, config, MASK_RATIO)
    steps = Steps(finetune_model(config, CLASSES, setting.reference), where)
    labels = torch.zeros(batch, dtype=torch.long, device=where)
    return lambda: steps.finetune(frames, labels)


def _scoring(model: nn.Module, frames: torch.Tensor, kind: str) -> Callable[[], Any]:
    """Return a function that scores frames: theirs in fp16, ours in bf16; float32 on a CPU."""
    where = frames.device
    model = model.to(where).eval()
    forward: Callable[..., torch.Tensor] = model
    if kind == "compiled":
        forward = torch.compile(model, fullgraph=True)
    dtype = torch.float16 if kind == "theirs" else torch.bfloat16

    @torch.no_grad()
    def score() -> torch.Tensor:
        with torch.autocast(where.type, dtype, enabled=where.type == "cuda"):
            return Classification.scores(forward(normalise(unit_range(frames)))).cpu()

    return score
