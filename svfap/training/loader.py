"""The batches of every training step, loaded ahead by loader processes."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import torch
from torch.utils.data import DataLoader, Dataset

from svfap.config import OptimConfig, TrainingMachine
from svfap.config.machine import DEFAULT_MACHINE
from svfap.errors import SvfapError
from svfap.training.batch import Batch
from svfap.training.distributed import Ranks
from svfap.training.draws import Draws
from svfap.training.memory import Ring

AHEAD = 2  # batches that each loader process prepares ahead, the default of PyTorch's DataLoader
STEPS_IN_USE = 2  # the guard needs a step's batches until the next step's gradient is queued


class BatchRequest(NamedTuple):
    """A batch that a loader process has to make.

    Attributes:
        number: number of the batch, counted from the first loaded step; selects its buffer in the
            ring.
        positions: positions of its crops in the stream of draws.
    """

    number: int
    positions: range


class LoadedBatch(NamedTuple):
    """A batch from a loader process; if there is a ring, the video lies there, not in the batch."""

    batch: Batch
    video_shape: tuple[int, ...]


class Loader:
    """Divides a run into steps and batches, and loads them.

    The loader divides `epochs` epochs into steps of `batch_size` crops; the last step also takes
    the remainder. The ranks share a step evenly. Each rank divides its part into batches of at most
    `device_batch` crops and sums their gradients.

    Raises:
        SvfapError: there are more processes than crops in a step.
    """

    def __init__(
        self,
        draws: Draws,
        config: OptimConfig,
        ranks: Ranks,
        machine: TrainingMachine = DEFAULT_MACHINE,
    ) -> None:
        self.draws, self.ranks = draws, ranks
        self.workers = spare_cores(ranks.device) if machine.workers is None else machine.workers
        epoch = len(draws.store) * draws.repeats
        self.batch_size = min(config.batch_size, epoch)
        if self.batch_size < ranks.size:
            raise SvfapError(
                f"a step has {self.batch_size} clips, fewer than the {ranks.size} processes; raise"
                " optim.batch_size or start fewer processes"
            )
        self.device_batch = machine.device_batch or -(-self.batch_size // ranks.size)
        self.total = config.epochs * epoch
        self.steps = max(1, self.total // self.batch_size)
        self.steps_per_epoch = epoch / self.batch_size

    def positions(self, step: int) -> range:
        """Return the positions of all crops of a step in the stream of draws."""
        start = step * self.batch_size
        last = step + 1 == self.steps
        return range(start, self.total if last else start + self.batch_size)

    def batch_positions(self, step: int) -> list[range]:
        """Return the positions of each of this process's batches of a step."""
        everyone, rank, size = self.positions(step), self.ranks.rank, self.ranks.size
        own = everyone[len(everyone) * rank // size : len(everyone) * (rank + 1) // size]
        starts = range(0, len(own), self.device_batch)
        return [own[start : start + self.device_batch] for start in starts]

    def load(self, start: int) -> Iterator[list[Batch]]:
        """Yield this process's batches of each step from `start` to `steps - 1`.

        With loader processes, batches stay valid until two more steps have been requested; then
        their memory is overwritten.
        """
        steps = range(start, self.steps)
        ring = self._ring()
        loading: Iterable[LoadedBatch] = DataLoader(
            _BatchDataset(self.draws, ring),
            batch_sampler=_BatchRequests(self, steps),  # type: ignore[arg-type]
            collate_fn=_unchanged,  # type: ignore[arg-type]
            num_workers=self.workers,
            prefetch_factor=AHEAD if ring else None,
            # Only forked processes share the ring's anonymous memory with this process.
            multiprocessing_context="fork" if ring else None,
            pin_memory=self.ranks.device.type == "cuda" and ring is None,
        )
        loaded = enumerate(_without_worker_traceback(loading))
        for step in steps:
            count = len(self.positions(step))
            batches = []
            for number, (batch, shape) in (next(loaded) for _ in self.batch_positions(step)):
                video = ring.tensor(number, shape) if ring else batch.video
                batches.append(replace(batch, video=video, share=len(batch.target) / count))
            yield batches

    def _ring(self) -> Ring | None:
        """Make buffers for all batches being loaded or in use; None without loader processes."""
        if not self.workers:
            return None
        # The last step may be longer than the others.
        batches = max(len(self.batch_positions(step)) for step in (0, self.steps - 1))
        buffers = AHEAD * self.workers + STEPS_IN_USE * batches
        size = self.draws.most_bytes(self.device_batch)
        return Ring(buffers, size, pinned=self.ranks.device.type == "cuda")


def spare_cores(device: torch.device) -> int:
    """Return the number of loader processes: this rank's share of the cores, less one for itself.

    On a CPU it is 0, since the model needs all cores.
    """
    if device.type == "cpu":
        return 0
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return max(1, len(os.sched_getaffinity(0)) // here - 1)


@dataclass(frozen=True)
class _BatchDataset(Dataset[Batch]):
    """Makes whole batches, and writes their videos into the ring if there is one."""

    draws: Draws
    ring: Ring | None

    # DataLoader passes each item of its batch_sampler to __getitems__, usually a list of indices.
    # Here an item describes a whole batch.
    def __getitems__(self, request: BatchRequest) -> LoadedBatch:
        if self.ring is None:
            batch = self.draws.batch(request.positions)
            return LoadedBatch(batch, tuple(batch.video.shape))
        batch = self.draws.batch(request.positions, partial(self.ring.array, request.number))
        # Torch copies a tensor for another process into shared memory. Here its shape is enough.
        return LoadedBatch(replace(batch, video=torch.empty(0)), tuple(batch.video.shape))


@dataclass(frozen=True)
class _BatchRequests:
    """The batches that the data loader makes, in order."""

    loader: Loader
    steps: range

    def __iter__(self) -> Iterator[BatchRequest]:
        batches = (batch for step in self.steps for batch in self.loader.batch_positions(step))
        return (BatchRequest(number, positions) for number, positions in enumerate(batches))


def _unchanged(loaded: LoadedBatch) -> LoadedBatch:
    """Return the batch; DataLoader's default would stack it as one sample of a batch."""
    return loaded


def _without_worker_traceback(loading: Iterable[LoadedBatch]) -> Iterator[LoadedBatch]:
    """Yield batches; raise a loader process's SvfapError with its one-line message."""
    try:
        yield from loading
    except SvfapError as error:
        # DataLoader raises the same class again, with the worker's whole traceback as message. The
        # original message follows the last "SvfapError: ".
        raise SvfapError(str(error).strip().rpartition(f"{SvfapError.__name__}: ")[2]) from None
