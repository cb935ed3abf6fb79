"""The batches of every training step, loaded ahead by loader processes."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple

import torch
from torch.utils.data import DataLoader, Dataset

from svfap.config import OptimConfig, TrainingMachine
from svfap.config.machine import DEFAULT_MACHINE
from svfap.errors import SvfapError
from svfap.training.batch import Batch
from svfap.training.distributed import Ranks
from svfap.training.draws import Crops, Draws
from svfap.training.memory import Ring, choose_buffers

STEPS_AHEAD = 2  # steps that are loaded ahead if the memory suffices
STEPS_IN_USE = 2  # the guard needs a step's batches until the next step's gradient is queued


class PartRequest(NamedTuple):
    """A part of a batch that a loader process has to load.

    Attributes:
        number: number of the batch, counted from the first loaded step; selects its buffer in the
            ring.
        positions: positions of the batch's crops in the stream of draws.
        part: positions of the part's crops.
    """

    number: int
    positions: range
    part: range


class Loader:
    """Divides a run into steps and batches, and loads them.

    The loader divides `epochs` epochs into steps of `batch_size` crops; the last step also takes
    the remainder. The ranks share a step evenly. Each rank divides its part into batches of at most
    `device_batch` crops and sums their gradients. Neither divides a block of crops that
    the objective mixes with each other (`Objective.block`).

    Every loader process loads a part of each batch. So the memory for loaded batches depends on
    their size only, not on the number of processes, and the first batch comes sooner.

    Args:
        draws: the stream of crops.
        config: number of epochs and of clips in a step.
        ranks: the processes that share a step.
        machine: number of loader processes, clips in a batch, and memory for loaded batches.
        block: number of successive crops that the objective mixes with each other.

    Raises:
        SvfapError: there are more processes than blocks in a step.
    """

    def __init__(
        self,
        draws: Draws,
        config: OptimConfig,
        ranks: Ranks,
        machine: TrainingMachine = DEFAULT_MACHINE,
        *,
        block: int = 1,
    ) -> None:
        self.draws, self.ranks, self.ring_gb = draws, ranks, machine.ring_gb
        self.workers = spare_cores(ranks.device) if machine.workers is None else machine.workers
        epoch = len(draws.store) * draws.repeats
        self.batch_size = min(config.batch_size, epoch)
        self.block, blocks = block, -(-self.batch_size // block)
        if blocks < ranks.size:
            raise SvfapError(
                f"a step has {self.batch_size} clips, too few for {ranks.size} processes with at"
                f" least {block} each; raise optim.batch_size or start fewer processes"
            )
        most = machine.device_batch or -(-blocks // ranks.size) * block
        self.device_batch = max(most // block, 1) * block
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
        blocks = -(-len(everyone) // self.block)
        start, end = (blocks * each // size * self.block for each in (rank, rank + 1))
        own = everyone[start:end]
        starts = range(0, len(own), self.device_batch)
        return [own[start : start + self.device_batch] for start in starts]

    def load(self, start: int) -> Iterator[list[Batch]]:
        """Yield this process's batches of each step from `start` to `steps - 1`.

        With loader processes, batches stay valid until two more steps have been requested; then
        their memory is overwritten.

        Raises:
            SvfapError: a shard is damaged, or there is not enough memory for the batches.
        """
        steps = range(start, self.steps)
        loaded = self._load_ahead(steps) if self.workers else self._load_here(steps)
        for step in steps:
            everyone = self.positions(step)
            span = (everyone.start, len(everyone))
            batches = islice(loaded, len(self.batch_positions(step)))
            yield [
                replace(batch, share=len(batch.target) / len(everyone), step=span)
                for batch in batches
            ]

    def _load_here(self, steps: range) -> Iterator[Batch]:
        """Load batches in this process, without loader processes."""
        for positions in self._all_positions(steps):
            batch = self.draws.batch(positions)
            yield batch.pin_memory() if self.ranks.device.type == "cuda" else batch

    def _load_ahead(self, steps: range) -> Iterator[Batch]:
        """Load batches in loader processes."""
        # The last step may be longer than the others.
        batches = max(len(self.batch_positions(step)) for step in (0, self.steps - 1))
        in_use, size = STEPS_IN_USE * batches, self.draws.most_bytes(self.device_batch)
        least, most = in_use + 1, in_use + STEPS_AHEAD * batches
        buffers = choose_buffers(size, least, most, self.ring_gb)
        ring = Ring(buffers, size, pinned=self.ranks.device.type == "cuda")
        loading = DataLoader(
            _PartDataset(self.draws, ring),
            batch_sampler=self._requests(steps),  # type: ignore[arg-type]
            collate_fn=_unchanged,  # type: ignore[arg-type]
            num_workers=self.workers,
            # Each process loads one part of each batch, so this is the number of batches ahead.
            prefetch_factor=buffers - in_use,
            # Only forked processes share the ring's anonymous memory with this process.
            multiprocessing_context="fork",
        )
        parts = _without_worker_traceback(loading)
        for number, positions in enumerate(self._all_positions(steps)):
            crops = [*islice(parts, self.workers)]
            video = ring.tensor(number, self.draws.shape(positions))
            yield self.draws.collect(positions, video, crops)

    def _all_positions(self, steps: range) -> Iterator[range]:
        """Yield the positions of the crops of each batch of some steps."""
        return (positions for step in steps for positions in self.batch_positions(step))

    def _requests(self, steps: range) -> Iterator[PartRequest]:
        """Yield the parts to load, as many of each batch as there are loader processes."""
        for number, positions in enumerate(self._all_positions(steps)):
            for part in self.draws.split(positions, self.workers):
                yield PartRequest(number, positions, part)


def spare_cores(device: torch.device) -> int:
    """Return the number of loader processes: this rank's share of the cores, less one for itself.

    OMP_NUM_THREADS bounds it: Snakemake sets it to the cores of the job, and `svfap.launch` divides
    it by the job's processes. On a CPU the number is 0, since the model needs all cores.
    """
    if device.type == "cpu":
        return 0
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    cores = len(os.sched_getaffinity(0)) // here
    return max(1, min(cores, int(os.environ.get("OMP_NUM_THREADS", cores))) - 1)


@dataclass(frozen=True)
class _PartDataset(Dataset[Crops]):
    """Loads parts of batches, and writes their videos into the ring."""

    draws: Draws
    ring: Ring

    # DataLoader passes each item of its batch_sampler to __getitems__, usually a list of indices.
    # Here an item describes a part of a batch.
    def __getitems__(self, request: PartRequest) -> Crops:
        video = self.ring.array(request.number, self.draws.shape(request.positions))
        return self.draws.load(request.part, request.positions, video)


def _unchanged(crops: Crops) -> Crops:
    """Return the crops; DataLoader's default would stack them as one sample of a batch."""
    return crops


def _without_worker_traceback(loading: Iterable[Crops]) -> Iterator[Crops]:
    """Yield parts of batches; raise a loader process's SvfapError with its one-line message."""
    try:
        yield from loading
    except SvfapError as error:
        # DataLoader raises the same class again, with the worker's whole traceback as message. The
        # original message follows the last "SvfapError: ".
        raise SvfapError(str(error).strip().rpartition(f"{SvfapError.__name__}: ")[2]) from None
