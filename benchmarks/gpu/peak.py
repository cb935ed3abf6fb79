"""Part `peak`: facts of the device, rate of matrix products, and bandwidth of copies."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from benchmarks.gpu.results import Row
from benchmarks.gpu.setting import Setting
from benchmarks.gpu.timing import now, seconds_per_call
from svfap.training.distributed import device
from svfap.training.memory import Ring

PEAK_SECONDS = 1.0


def measure(setting: Setting) -> Iterator[Row]:
    """Measure what no program on this device can exceed."""
    where, sizes = device(), setting.sizes
    yield {"name": "device"} | _facts(where)
    seconds = min(PEAK_SECONDS, sizes.window)
    for side in sizes.products:
        yield _product(side, where, seconds)
    for name, (target, source) in _copies(sizes.copied, where).items():
        yield {"name": name, "gigabytes_per_second": _bandwidth(target, source, seconds)}
    yield from _ring(sizes.copied, where, seconds)


def _facts(where: torch.device) -> Row:
    """Return the names and versions that results depend on."""
    row: Row = {"device": "CPU", "torch": torch.__version__, "threads": torch.get_num_threads()}
    if where.type == "cuda":
        facts = torch.cuda.get_device_properties(where)
        row |= {"device": facts.name, "gigabytes": facts.total_memory / 1e9}
        row |= {"multiprocessors": facts.multi_processor_count, "cuda": torch.version.cuda}
    return row


def _product(side: int, where: torch.device, seconds: float) -> Row:
    """Measure the product of two random square matrices: bf16 on a GPU, float32 on a CPU."""
    dtype = torch.bfloat16 if where.type == "cuda" else torch.float32
    a, b = (torch.randn(side, side, device=where, dtype=dtype) for _ in range(2))
    out = torch.empty_like(a)
    taken = seconds_per_call(lambda: torch.mm(a, b, out=out), window=seconds)
    return {"name": "matrix product", "side": side, "tflops": 2e-12 * side**3 / taken["median"]}


def _copies(size: int, where: torch.device) -> dict[str, tuple[Tensor, Tensor]]:
    """Return targets and sources of copies by name."""
    host = torch.zeros(size, dtype=torch.uint8)
    there, other = (torch.zeros(size, dtype=torch.uint8, device=where) for _ in range(2))
    found = {"copy, pageable host to device": (there, host), "copy within device": (other, there)}
    if where.type == "cuda":
        pinned = host.pin_memory()
        found["copy, pinned host to device"] = there, pinned
        found["copy, device to pinned host"] = pinned, there
    return found


def _bandwidth(target: Tensor, source: Tensor, seconds: float) -> float:
    """Measure a copy in gigabytes per second; every byte counts once."""
    copy: Callable[[], object] = lambda: target.copy_(source, non_blocking=True)  # noqa: E731
    return source.nbytes / 1e9 / seconds_per_call(copy, window=seconds)["median"]


def _ring(size: int, where: torch.device, seconds: float) -> Iterator[Row]:
    """Measure how long page-locking a loader's buffer takes, and a copy from it."""
    ring = Ring(1, size, pinned=where.type == "cuda")
    ring.array(0, (size,))[:] = 1  # the pages exist, as after a loader process has filled them
    start = now()
    buffer = ring.tensor(0, (size,))
    taken = now() - start
    yield {"name": "page-locking", "seconds_per_gigabyte": taken / size * 1e9}
    there = torch.empty(size, dtype=torch.uint8, device=where)
    rate = _bandwidth(there, buffer, seconds)
    yield {
        "name": "copy, loader's buffer to device",
        "gigabytes_per_second": rate,
        "pinned": buffer.is_pinned() if where.type == "cuda" else False,
    }
