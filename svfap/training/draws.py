"""The stream of clips that a run shows: batches as a pure function of seed and position."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from svfap.augment.crop_box import Draw, DrawEdits, Frames
from svfap.shards.store import ClipStore
from svfap.training.batch import Batch

Sampler = Callable[[int, np.random.Generator], NDArray[np.int64]]
Allocate = Callable[[tuple[int, ...]], Frames]


def _fresh(shape: tuple[int, ...]) -> Frames:
    return np.empty(shape, np.uint8)


class Draws:
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
        edits: draws what is done to the frames of every crop, before it is cut.
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
        edits: DrawEdits | None = None,
    ) -> None:
        self.store, self.sample, self.window, self.edits = store, sample, window, edits
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

    def most_bytes(self, count: int) -> int:
        """Bytes that so many crops in a row take at most, as `batch` loads them."""
        clips = -(-count // self.repeats) + (self.repeats > 1)
        frames = len(self.sample(self.store.length(0), np.random.default_rng(0)))
        return clips * frames * int(np.prod(self.store.largest)) * 3

    def batch(self, positions: Sequence[int], allocate: Allocate = _fresh) -> Batch:
        """The crops at successive positions.

        Args:
            positions: in the stream.
            allocate: gives the memory for the clips, by their shape.
        """
        draws = [position // self.repeats for position in positions]
        decoded = list(dict.fromkeys(draws))
        sizes = [self.store.size(self.clip(draw * self.repeats)) for draw in decoded]
        video = self._decode(decoded, sizes, allocate)
        windows, edits = [], []
        for position, draw in zip(positions, draws, strict=True):
            rng = np.random.default_rng((self.seed, 2, position))
            place = decoded.index(draw)
            if self.edits:
                edits.append(self.edits(rng))
            windows.append((place, *sizes[place], *self.window(*sizes[place], rng)))
        targets = self.store.targets[[self.clip(position) for position in positions]]
        return Batch(
            torch.from_numpy(video), torch.from_numpy(targets), positions[0],
            windows=torch.tensor(windows), size=self.size, edits=edits or None,
        )  # fmt: skip

    def _decode(
        self, draws: Sequence[int], sizes: Sequence[tuple[int, int]], allocate: Allocate
    ) -> Frames:
        """Clips in one array (clips, T, H, W, 3); windows leave out what is filled up."""
        chosen = []
        for draw in draws:
            clip, rng = self.clip(draw * self.repeats), np.random.default_rng((self.seed, 1, draw))
            chosen.append((clip, self.sample(self.store.length(clip), rng)))
        video = allocate((len(draws), len(chosen[0][1]), *map(max, zip(*sizes, strict=True)), 3))
        if len({*sizes}) > 1:
            video[:] = 0
        for place, (clip, indices), (height, width) in zip(video, chosen, sizes, strict=True):
            self.store.frames(clip, indices, out=place[:, :height, :width])
        return video
