"""The steps of a run: which clips each of them shows, loaded ahead by processes beside it."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch.utils.data import DataLoader, Dataset

from svfap.config import OptimConfig
from svfap.errors import SvfapError
from svfap.training.batch import Batch
from svfap.training.distributed import Ranks
from svfap.training.draws import Draws
from svfap.training.ring import Ring

AHEAD = 2  # batches that each process has in the making
Numbered = tuple[int, range]
Loaded = tuple[Batch, tuple[int, ...]]


class Loader:
    """The steps of a run: which clips each of them shows, and in which portions.

    `epochs` epochs are cut into steps of `batch_size` clips, the last takes what is left over. The
    ranks share a step evenly; each cuts its own into batches of at most `device_batch` clips.

    Raises:
        SvfapError: there are more processes than clips in a step.
    """

    def __init__(self, draws: Draws, config: OptimConfig, ranks: Ranks) -> None:
        self.draws, self.ranks = draws, ranks
        self.workers = spare_cores(ranks.device) if config.workers is None else config.workers
        epoch = len(draws.store) * draws.repeats
        self.batch_size = min(config.batch_size, epoch)
        if self.batch_size < ranks.size:
            raise SvfapError(
                f"a step has {self.batch_size} clips for {ranks.size} processes; raise"
                " optim.batch_size, or start fewer"
            )
        self.device_batch = config.device_batch or -(-self.batch_size // ranks.size)
        self.total = config.epochs * epoch
        self.steps = max(1, self.total // self.batch_size)
        self.steps_per_epoch = epoch / self.batch_size

    def positions(self, step: int) -> range:
        """All clips of a step, as positions in the stream of draws."""
        start = step * self.batch_size
        last = step + 1 == self.steps
        return range(start, self.total if last else start + self.batch_size)

    def portions(self, step: int) -> list[range]:
        """This process's clips of a step, portion by portion."""
        whole, rank, size = self.positions(step), self.ranks.rank, self.ranks.size
        own = whole[len(whole) * rank // size : len(whole) * (rank + 1) // size]
        starts = range(0, len(own), self.device_batch)
        return [own[start : start + self.device_batch] for start in starts]

    def load(self, start: int) -> Iterator[list[Batch]]:
        """Batches of the steps `start`, ..., `steps - 1`.

        Those that loader processes made stay as they are until the step after the next is asked
        for: their memory is then used again.
        """
        steps = range(start, self.steps)
        ring = self._ring()
        loading: Iterable[Loaded] = DataLoader(
            _Placed(self.draws, ring),
            batch_sampler=_Portions(self, steps),  # type: ignore[arg-type]
            collate_fn=_whole,  # type: ignore[arg-type]
            num_workers=self.workers,
            prefetch_factor=AHEAD if ring else None,
            multiprocessing_context="fork" if ring else None,
            pin_memory=self.ranks.device.type == "cuda" and ring is None,
        )
        loaded = enumerate(_told(loading))
        for step in steps:
            count = len(self.positions(step))
            batches = []
            for number, (batch, shape) in (next(loaded) for _ in self.portions(step)):
                video = ring.tensor(number, shape) if ring else batch.video
                batches.append(replace(batch, video=video, share=len(batch.target) / count))
            yield batches

    def _ring(self) -> Ring | None:
        """Memory for what is being loaded and for two steps in use, if processes load."""
        if not self.workers:
            return None
        portions = max(len(self.portions(step)) for step in (0, self.steps - 1))
        buffers = AHEAD * self.workers + 2 * portions
        size = self.draws.most_bytes(self.device_batch)
        return Ring(buffers, size, pinned=self.ranks.device.type == "cuda")


def spare_cores(device: torch.device) -> int:
    """Cores beside this process's own; none where the model itself runs on them."""
    if device.type == "cpu":
        return 0
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return max(1, len(os.sched_getaffinity(0)) // here - 1)


@dataclass(frozen=True)
class _Placed(Dataset[Batch]):
    """Batches by number and positions, and the shapes of their videos, which lie in the ring."""

    draws: Draws
    ring: Ring | None

    def __getitems__(self, portion: Numbered) -> Loaded:
        number, positions = portion
        if self.ring is None:
            batch = self.draws.batch(positions)
            return batch, tuple(batch.video.shape)
        batch = self.draws.batch(positions, partial(self.ring.array, number))
        return replace(batch, video=torch.empty(0)), tuple(batch.video.shape)


@dataclass(frozen=True)
class _Portions:
    """The portions that the data loader fetches, in order, with their numbers."""

    loader: Loader
    steps: range

    def __iter__(self) -> Iterator[Numbered]:
        return enumerate(portion for step in self.steps for portion in self.loader.portions(step))


def _whole(loaded: Loaded) -> Loaded:
    """What is loaded is a batch already."""
    return loaded


def _told(loading: Iterable[Loaded]) -> Iterator[Loaded]:
    """What is loaded; of a user's error in a loader process, the message without its traceback."""
    try:
        yield from loading
    except SvfapError as error:
        raise SvfapError(str(error).strip().rpartition(f"{SvfapError.__name__}: ")[2]) from None
