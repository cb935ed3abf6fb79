"""Batches of clips as a pure function of (seed, step): exact epochs, and resume at any step."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from svfap.config import OptimConfig
from svfap.errors import SvfapError
from svfap.shards import ClipStore
from svfap.training.distributed import Ranks
from svfap.video.transforms import Frames, Transform

Sampler = Callable[[int, np.random.Generator], NDArray[np.int64]]


@dataclass(frozen=True)
class Batch:
    """Clips that a device takes at once, as they lie in memory.

    Attributes:
        video: (B, T, H, W, 3) uint8.
        target: (B, n) float32.
        first: position of the first clip in the stream of draws; seeds what is random.
        share: of the step's clips, over all devices, how many are in this batch.
    """

    video: Tensor
    target: Tensor
    first: int = 0
    share: float = 1.0

    def to(self, device: torch.device) -> "Batch":
        """The batch on a device."""
        video, target = (x.to(device, non_blocking=True) for x in (self.video, self.target))
        return Batch(video, target, self.first, self.share)


class Draws(Dataset[tuple[Tensor, Tensor]]):
    """Item k is the k-th crop of the endless stream of shuffled epochs.

    Every clip comes exactly once an epoch and gives `repeats` crops in a row, for which it is
    decoded once. Frames and augmentation are drawn from generators that are seeded by the
    position, so that an item never depends on what was loaded before it.
    """

    def __init__(
        self,
        store: ClipStore,
        sample: Sampler,
        transform: Transform,
        *,
        seed: int,
        repeats: int = 1,
    ) -> None:
        self.store, self.sample, self.transform = store, sample, transform
        self.seed, self.repeats = seed, repeats
        self._epoch, self._order = -1, np.empty(0, np.int64)
        self._decoded: tuple[int, Frames] = (-1, np.empty(0, np.uint8))

    def clip(self, position: int) -> int:
        """Number of the clip that a position shows."""
        epoch, place = divmod(position // self.repeats, len(self.store))
        if epoch != self._epoch:
            shuffler = np.random.default_rng((self.seed, 0, epoch))
            self._epoch, self._order = epoch, shuffler.permutation(len(self.store))
        return int(self._order[place])

    def __getitem__(self, position: int) -> tuple[Tensor, Tensor]:
        clip, draw = self.clip(position), position // self.repeats
        if draw != self._decoded[0]:
            rng = np.random.default_rng((self.seed, 1, draw))
            indices = self.sample(self.store.length(clip), rng)
            self._decoded = draw, self.store.frames(clip, indices)
        rng = np.random.default_rng((self.seed, 2, position))
        frames = np.ascontiguousarray(self.transform(self._decoded[1], rng))
        return torch.from_numpy(frames), torch.from_numpy(self.store.targets[clip])


class Loader:
    """The steps of a run: which clips each of them shows, and in which portions.

    `epochs` epochs are cut into steps of `batch_size` clips, the last takes what is left over. The
    ranks share a step evenly; each cuts its own into batches of at most `device_batch` clips.

    Raises:
        SvfapError: there are more processes than clips in a step.
    """

    def __init__(self, draws: Draws, config: OptimConfig, ranks: Ranks) -> None:
        self.draws, self.ranks, self.workers = draws, ranks, config.workers
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
        """Batches of the steps `start`, ..., `steps - 1`."""
        steps = range(start, self.steps)
        loaded = iter(
            DataLoader(
                self.draws,
                batch_sampler=_Portions(self, steps),  # type: ignore[arg-type]
                num_workers=self.workers,
                pin_memory=self.ranks.device.type == "cuda",
            )
        )
        for step in steps:
            count = len(self.positions(step))
            batches = []
            for portion in self.portions(step):
                video, target = _next(loaded)
                batches.append(Batch(video, target, portion.start, len(portion) / count))
            yield batches


def _next(loaded: Iterator[list[Tensor]]) -> list[Tensor]:
    """The next batch; of a user's error in a loader process, the message without its traceback."""
    try:
        return next(loaded)
    except SvfapError as error:
        raise SvfapError(str(error).strip().rpartition(f"{SvfapError.__name__}: ")[2]) from None


@dataclass(frozen=True)
class _Portions:
    """The positions that the data loader fetches, in order."""

    loader: Loader
    steps: range

    def __iter__(self) -> Iterator[range]:
        for step in self.steps:
            yield from self.loader.portions(step)
