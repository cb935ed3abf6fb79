"""Part `profile`: where the time of a step of pre-training goes, by kind of kernel.

The step is the training's own: it copies a batch to the device, cuts the crops, and takes a
compiled step of the largest batch. Only the loader is missing.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import torch
from torch.profiler import DeviceType, ProfilerActivity, profile

from benchmarks.gpu.results import Row
from benchmarks.gpu.setting import Setting
from benchmarks.gpu.shards import draws
from benchmarks.gpu.timing import now
from benchmarks.ours import MASK_RATIO, make_stepper, take_step
from svfap.config import OptimConfig
from svfap.models import Autoencoder
from svfap.training.batch import Batch
from svfap.training.objectives import Reconstruction
from svfap.training.step import Stepper

STEPS, WARM_UP = 4, 3
LISTED = 60  # kernels with the most time that the log lists
# Parts of kernels' names -> kind; the first that fits counts.
KINDS = {
    "attention": ("fmha", "flash", "attention", "sdpa", "compute_dot_do_o", "convert_dq"),
    "matrix products": ("gemm", "nvjet", "cutlass", "xmma", "aten::mm", "aten::addmm", "splitk"),
    "optimiser": ("multi_tensor", "adam", "foreach"),
    "copies": ("memcpy", "memset"),
    "fused by the compiler": ("triton",),
}


def measure(setting: Setting) -> Iterator[Row]:
    """Time a step with and without its crops, and profile it with them."""
    stepper = _stepper(setting)
    loaded = _loaded(setting, stepper.ranks.device)
    batches = {"with crops": loaded, "without crops": loaded.prepared(stepper.ranks.device)}
    steps = {name: partial(take_step, stepper, batch) for name, batch in batches.items()}
    for name, step in steps.items():
        yield {"name": f"step {name}"} | _times(step)
    taken = _profiled(steps["with crops"])
    print("milliseconds a step:")
    for name, spent in sorted(taken.items(), key=lambda item: -item[1])[:LISTED]:
        print(f"{spent:9.3f}  {name[:150]}", flush=True)
    for name, spent in _by_kind(taken).items():
        yield {"name": name, "milliseconds": spent, "share": spent / sum(taken.values())}


def _stepper(setting: Setting) -> Stepper:
    objective = Reconstruction(Autoencoder(setting.sizes.model), MASK_RATIO)
    return make_stepper(objective, OptimConfig(), compiled=torch.cuda.is_available())


def _loaded(setting: Setting, where: torch.device) -> Batch:
    """Return a batch as the loader gives it."""
    batch = draws(setting, "jpeg").batch(range(setting.sizes.batches[0]))
    return batch.pin_memory() if where.type == "cuda" else batch


def _times(step: Callable[[], object]) -> Row:
    """Measure milliseconds a step, and for how many of them the host is busy queueing it."""
    for _ in range(WARM_UP):
        step()
    start = now()
    step()
    queued = time.perf_counter() - start
    start = now()
    for _ in range(STEPS):
        step()
    return {"milliseconds": 1e3 * (now() - start) / STEPS, "host_milliseconds": 1e3 * queued}


def _profiled(step: Callable[[], object]) -> dict[str, float]:
    """Return the milliseconds a step of every kernel, or on a CPU of every operation."""
    on_gpu = torch.cuda.is_available()
    with profile(activities=[ProfilerActivity.CUDA if on_gpu else ProfilerActivity.CPU]) as found:
        for _ in range(STEPS):
            step()
        now()
    kind = DeviceType.CUDA if on_gpu else DeviceType.CPU
    spent = "self_device_time_total" if on_gpu else "self_cpu_time_total"  # microseconds
    return {
        event.key: getattr(event, spent) / STEPS / 1e3
        for event in found.key_averages()
        if event.device_type == kind
    }


def _by_kind(taken: Mapping[str, float]) -> dict[str, float]:
    """Return the time of each kind of kernel, longest first."""
    found: dict[str, float] = defaultdict(float)
    for name, spent in taken.items():
        fits = (kind for kind, parts in KINDS.items() if any(p in name.lower() for p in parts))
        found[next(fits, "everything else")] += spent
    return dict(sorted(found.items(), key=lambda item: -item[1]))
