"""Batches of clips as a pure function of (seed, step): exact epochs, and resume at any step."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from svfap.shards import ClipStore
from svfap.video.transforms import Transform

Sampler = Callable[[int, np.random.Generator], NDArray[np.int64]]


@dataclass(frozen=True)
class Batch:
    """Clips as they lie in memory: `video` (B, T, H, W, 3) uint8, `target` (B, n) float32."""

    video: Tensor
    target: Tensor

    def to(self, device: torch.device) -> "Batch":
        """The batch on a device."""
        return Batch(
            self.video.to(device, non_blocking=True), self.target.to(device, non_blocking=True)
        )


class Draws(Dataset[tuple[Tensor, Tensor]]):
    """Item k is the k-th clip of the endless stream of shuffled epochs.

    Every clip comes exactly once an epoch; frames and augmentation are drawn from a generator
    that is seeded by (seed, k), so that an item never depends on what was loaded before it.
    """

    def __init__(self, store: ClipStore, sample: Sampler, transform: Transform, seed: int) -> None:
        self.store, self.sample, self.transform, self.seed = store, sample, transform, seed
        self._epoch, self._order = -1, np.empty(0, np.int64)

    def __getitem__(self, position: int) -> tuple[Tensor, Tensor]:
        epoch, place = divmod(position, len(self.store))
        if epoch != self._epoch:
            shuffler = np.random.default_rng((self.seed, 0, epoch))
            self._epoch, self._order = epoch, shuffler.permutation(len(self.store))
        clip = int(self._order[place])
        rng = np.random.default_rng((self.seed, 1, position))
        indices = self.sample(self.store.length(clip), rng)
        frames = self.transform(self.store.frames(clip, indices), rng)
        return torch.from_numpy(np.ascontiguousarray(frames)), torch.from_numpy(
            self.store.targets[clip]
        )


class Loader:
    """Full batches from `Draws`, from any step on."""

    def __init__(self, draws: Draws, *, batch_size: int, epochs: int, workers: int) -> None:
        self.draws, self.workers = draws, workers
        self.batch_size = min(batch_size, len(draws.store))
        self.steps_per_epoch = len(draws.store) / self.batch_size
        self.steps = max(1, round(epochs * self.steps_per_epoch))

    def batches(self, start: int) -> Iterator[Batch]:
        """Batches of steps `start`, ..., `steps - 1`."""
        size = self.batch_size
        wanted = [range(step * size, (step + 1) * size) for step in range(start, self.steps)]
        loader = DataLoader(
            self.draws,
            batch_sampler=wanted,  # type: ignore[arg-type]
            num_workers=self.workers,
            pin_memory=torch.cuda.is_available(),
        )
        for video, target in loader:
            yield Batch(video, target)
