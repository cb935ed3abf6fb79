"""Batches of clips as a pure function of (seed, step): exact epochs, and resume at any step."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from svfap.clipstore import ClipStore
from svfap.config import OptimConfig
from svfap.errors import SvfapError
from svfap.training import crops
from svfap.training.distributed import Ranks
from svfap.video.transforms import Augment, Draw, Frames

Sampler = Callable[[int, np.random.Generator], NDArray[np.int64]]


@dataclass(frozen=True)
class Batch:
    """Clips that a device takes at once.

    Attributes:
        video: (clips, T, H, W, 3) uint8, as they lie in the shards.
        target: (B, n) float32.
        first: position of the first clip in the stream of draws; seeds what is random.
        share: of the step's clips, over all devices, how many are in this batch.
        windows: (B, 6) integers, what is cut from which clip, see `svfap.training.crops`; None if
            the video has been cut and is (B, T, size, size, 3).
        size: side of what is cut, in pixels.
    """

    video: Tensor
    target: Tensor
    first: int = 0
    share: float = 1.0
    windows: Tensor | None = None
    size: int = 0

    def to(self, device: torch.device) -> "Batch":
        """The batch on a device, cut there."""
        video, target = (x.to(device, non_blocking=True) for x in (self.video, self.target))
        if self.windows is not None:
            video = crops.cut(video, self.windows, self.size)
        return replace(self, video=video, target=target, windows=None)

    def pin_memory(self) -> "Batch":
        """The batch in memory that a GPU copies from by itself."""
        return replace(self, video=self.video.pin_memory(), target=self.target.pin_memory())


class Draws(Dataset[Batch]):
    """The endless stream of shuffled epochs, of which any stretch is a batch.

    Every clip comes exactly once an epoch and gives `repeats` crops in a row, for which it is
    decoded once. Frames and augmentation are drawn from generators that are seeded by the
    position, so that a crop never depends on what was loaded before it.

    Args:
        store: the clips.
        sample: draws the frames of a clip from its length.
        window: draws what is cut out of it.
        size: side of the crops in pixels.
        seed: of all that is drawn.
        repeats: crops of each decoded clip.
        augment: changes the frames of every crop, before it is cut.
    """

    def __init__(
        self,
        store: ClipStore,
        sample: Sampler,
        window: Draw,
        *,
        size: int,
        seed: int,
        repeats: int = 1,
        augment: Augment | None = None,
    ) -> None:
        self.store, self.sample, self.window, self.augment = store, sample, window, augment
        self.size, self.seed, self.repeats = size, seed, repeats
        self._epoch, self._order = -1, np.empty(0, np.int64)

    def order(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Numbers of the clips of an epoch, as many as there are, drawn from its generator."""
        return rng.permutation(len(self.store))

    def clip(self, position: int) -> int:
        """Number of the clip that a position shows."""
        epoch, place = divmod(position // self.repeats, len(self.store))
        if epoch != self._epoch:
            shuffler = np.random.default_rng((self.seed, 0, epoch))
            self._epoch, self._order = epoch, self.order(shuffler)
        return int(self._order[place])

    def __getitems__(self, positions: Sequence[int]) -> Batch:
        """The crops at successive positions."""
        draws = [position // self.repeats for position in positions]
        decoded = draws if self.augment else list(dict.fromkeys(draws))
        sizes = [self.store.size(self.clip(draw * self.repeats)) for draw in decoded]
        video = self._decode(decoded, sizes)
        windows = []
        for number, (position, draw) in enumerate(zip(positions, draws, strict=True)):
            rng = np.random.default_rng((self.seed, 2, position))
            place = number if self.augment else decoded.index(draw)
            height, width = sizes[place]
            if self.augment:
                frames = video[place, :, :height, :width]
                frames[:] = self.augment(frames, rng)
            windows.append((place, *self.window(height, width, rng)))
        targets = self.store.targets[[self.clip(position) for position in positions]]
        tensors = torch.from_numpy(video), torch.from_numpy(targets)
        return Batch(*tensors, positions[0], windows=torch.tensor(windows), size=self.size)

    def _decode(self, draws: Sequence[int], sizes: Sequence[tuple[int, int]]) -> Frames:
        """Clips in one array (clips, T, H, W, 3); windows leave out what is filled up."""
        chosen = []
        for draw in draws:
            clip, rng = self.clip(draw * self.repeats), np.random.default_rng((self.seed, 1, draw))
            chosen.append((clip, self.sample(self.store.length(clip), rng)))
        shape = len(draws), len(chosen[0][1]), *np.max(sizes, axis=0)
        video = (np.empty if len({*sizes}) == 1 else np.zeros)((*shape, 3), np.uint8)
        for place, (clip, indices), (height, width) in zip(video, chosen, sizes, strict=True):
            self.store.frames(clip, indices, out=place[:, :height, :width])
        return video


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
        """Batches of the steps `start`, ..., `steps - 1`."""
        steps = range(start, self.steps)
        loaded = iter(
            DataLoader(
                self.draws,
                batch_sampler=_Portions(self, steps),  # type: ignore[arg-type]
                collate_fn=_whole,  # type: ignore[arg-type]
                num_workers=self.workers,
                pin_memory=self.ranks.device.type == "cuda",
            )
        )
        for step in steps:
            count = len(self.positions(step))
            portions = [_next(loaded) for _ in self.portions(step)]
            yield [replace(batch, share=len(batch.target) / count) for batch in portions]


def spare_cores(device: torch.device) -> int:
    """Cores beside this process's own; none where the model itself runs on them."""
    if device.type == "cpu":
        return 0
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return max(1, len(os.sched_getaffinity(0)) // here - 1)


def _whole(batch: Batch) -> Batch:
    """What is loaded is a batch already."""
    return batch


def _next(loaded: Iterator[Batch]) -> Batch:
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
