"""Part `loading`: clips per second from shards to crops on the device, every byte checked."""

import contextlib
import time
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from benchmarks.gpu.results import Row
from benchmarks.gpu.setting import FORMS, Setting
from benchmarks.gpu.shards import draws, evict
from benchmarks.gpu.timing import now
from svfap.config import OptimConfig, TrainingMachine
from svfap.shards.frame_format import FrameFormat
from svfap.training.batch import Batch
from svfap.training.distributed import Ranks, device
from svfap.training.draws import Draws
from svfap.training.loader import STEPS_IN_USE, Loader

EPOCHS = 10**5  # more than any measurement reads
AHEAD = 2  # at most this many batches per loader process are loaded ahead


def measure(setting: Setting) -> Iterator[Row]:
    """Measure both formats with every number of processes, and check the bytes."""
    workers = setting.sizes.workers
    for form in FORMS:
        for number in workers:
            yield _speed(setting, form, number)
        yield _from_disk(setting, form, workers[-1])
        yield _bytes(setting, form, workers[0])


def make_loader(
    setting: Setting, form: FrameFormat, workers: int | None, epochs: int, batch: int | None = None
) -> Loader:
    """Return the loader of pre-training.

    Args:
        setting: sizes and folders.
        form: format of the shards.
        workers: number of loader processes; None uses all cores but one.
        epochs: number of epochs.
        batch: clips per batch; None is the largest that is measured.
    """
    config = OptimConfig(batch_size=batch or setting.sizes.batches[0], epochs=epochs)
    return Loader(draws(setting, form), config, Ranks(), TrainingMachine(workers=workers))


def _on_device(loader: Loader) -> Generator[Batch]:
    """Yield crops on the device, and wait for each before the next but one, as training does."""
    where, arrivals = device(), deque[torch.cuda.Event]()
    for batches in loader.load(0):
        yield batches[0].prepared(where)
        if where.type == "cuda":
            arrivals.append(torch.cuda.Event())
            arrivals[-1].record()
            if len(arrivals) > 1:
                arrivals.popleft().synchronize()


def _speed(setting: Setting, form: FrameFormat, workers: int) -> Row:
    """Measure clips per second while the shards are in the page cache."""
    loader, start = make_loader(setting, form, workers, EPOCHS), now()
    with contextlib.closing(_on_device(loader)) as loading:
        next(loading)
        first = now() - start
        # Every buffer of the ring is page-locked on its first use, and batches are ahead.
        for _ in range(AHEAD * workers + STEPS_IN_USE + 1):
            next(loading)
        start, batches = now(), 0
        # The wall clock: `now` would wait for the device in every turn.
        while time.perf_counter() - start < setting.sizes.window:
            next(loading)
            batches += 1
        speed = batches * loader.batch_size / (now() - start)
    row = {"name": f"{form}, {workers} processes", "clips_per_second": speed}
    return row | {"first_batch_seconds": first}


def _from_disk(setting: Setting, form: FrameFormat, workers: int) -> Row:
    """Measure one epoch, start-up included, after the shards were dropped from the page cache."""
    evict(setting, form)
    small = max(1, setting.sizes.batches[-1] // 4)  # so that every process gets batches
    loader, start = make_loader(setting, form, workers, 1, small), now()
    for _ in _on_device(loader):
        pass
    speed = loader.total / (now() - start)
    return {"name": f"{form}, {workers} processes, from disk", "clips_per_second": speed}


def _bytes(setting: Setting, form: FrameFormat, workers: int) -> Row:
    """Compare batches that went through the ring and the copy stream with plain reading.

    The ring is used more than twice over. Kernels run beside the copies, and a copy is compared
    when its memory on the host may have been overwritten.
    """
    small = setting.sizes.batches[-1]  # one process reads all clips a second time
    loader, plain = make_loader(setting, form, workers, EPOCHS, small), draws(setting, form)
    steps = 2 * (AHEAD * workers + STEPS_IN_USE) + 2
    busy = torch.randn(2 * [setting.sizes.products[0]], device=device())
    copies: list[Tensor] = []
    arrivals: list[torch.cuda.Event] = []
    wrong, pinned = 0, True
    for step, (batch,) in zip(range(steps), loader.load(0), strict=False):
        busy @ busy
        pinned &= batch.video.is_pinned()
        # Without boxes, `prepared` copies the clips and does nothing else.
        copied = replace(batch, boxes=None).prepared(device()).video
        if copied.is_cuda:
            arrivals.append(torch.cuda.Event())
            arrivals[-1].record()
            arrivals[max(0, step - 1)].synchronize()
        copies.append(copied if copied.is_cuda else copied.clone())
        if step >= STEPS_IN_USE:
            wrong += not _same(loader, plain, step - STEPS_IN_USE, copies)
    row: Row = {"name": f"{form}, bytes", "batches": steps, "wrong_batches": wrong}
    return row | {"pinned": pinned, "passed": wrong == 0 and pinned == (device().type == "cuda")}


def _same(loader: Loader, plain: Draws, step: int, copies: list[Tensor]) -> bool:
    """Return whether a step's copy equals the clips that plain reading gives; drop the copy."""
    copied, copies[step] = copies[step], torch.empty(0)
    return torch.equal(copied.cpu(), plain.batch(loader.positions(step)).video)
