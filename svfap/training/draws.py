"""The stream of crops that a run trains on: each batch is a function of seed and position."""

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from svfap.augment.crop_box import CropBoxes, DrawBox, PlacedBox
from svfap.augment.rand_augment import DrawEdits, Edits
from svfap.shards.store import ClipStore
from svfap.training.batch import Batch
from svfap.video.resize import Frames

DrawFrames = Callable[[int, np.random.Generator], NDArray[np.int64]]

# Second number of each generator's seed. It makes order, frames and augmentation independent.
# `fraction` uses 3.
ORDER, FRAMES, AUGMENTATION = 0, 1, 2


class Crops(NamedTuple):
    """Successive crops of a batch, without their pixels; processes exchange them at little cost.

    Attributes:
        targets: targets of the crops, (crops, n).
        boxes: the box of each crop.
        edits: RandAugment's operations for each crop; empty for no RandAugment.
    """

    targets: NDArray[np.float32]
    boxes: list[PlacedBox]
    edits: list[Edits]


class Draws:
    """An endless stream of shuffled epochs; a batch is a series of successive crops from it.

    Each clip occurs once per epoch, is decoded once and gives `repeats` successive crops. The
    position in the stream seeds the generators for frames and augmentation. So a crop is the same
    whatever was loaded before it, in any process, and after any restart.

    Args:
        store: the clips.
        draw_frames: function that draws the frame numbers of a clip, given its length.
        draw_box: function that draws the crop box of a clip, given its height and width.
        size: side of the crops in pixels.
        seed: seed of all random draws.
        repeats: number of crops of each decoded clip.
        draw_edits: function that draws RandAugment's operations for a crop; None for no
            RandAugment.
    """

    def __init__(
        self,
        store: ClipStore,
        draw_frames: DrawFrames,
        draw_box: DrawBox,
        *,
        size: int,
        seed: int,
        repeats: int = 1,
        draw_edits: DrawEdits | None = None,
    ) -> None:
        self.store, self.size, self.seed, self.repeats = store, size, seed, repeats
        self.draw_frames, self.draw_box, self.draw_edits = draw_frames, draw_box, draw_edits
        self._epoch, self._order = -1, np.empty(0, np.int64)

    def order(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw the order of the clips of one epoch, as many as the store has."""
        return rng.permutation(len(self.store))

    def clip(self, position: int) -> int:
        """Return the clip at a position of the stream."""
        epoch, place = divmod(position // self.repeats, len(self.store))
        return int(self._epoch_order(epoch)[place])

    def split(self, positions: range, count: int) -> list[range]:
        """Split the positions of a batch into parts with about the same number of clips each.

        The crops of a clip stay in one part. A part is empty if there are fewer clips than parts.
        """
        draws = self._draws(positions)
        cuts = [draws.start + len(draws) * n // count for n in range(count + 1)]
        ends = [min(max(cut * self.repeats, positions.start), positions.stop) for cut in cuts]
        return [range(*pair) for pair in pairwise(ends)]

    def shape(self, positions: range) -> tuple[int, int, int, int, int]:
        """Return the shape of a batch's video, (clips, T, H, W, 3); the largest clip fits in."""
        clips = self._clips(self._draws(positions))
        return (len(clips), self._frames, *self.store.largest_of(clips), 3)

    def most_bytes(self, count: int) -> int:
        """Return the largest possible size, in bytes, of the video of a batch of `count` crops."""
        # With repeats, a batch may begin and end amid a clip's crops, so it may have one clip more.
        clips = -(-count // self.repeats) + (self.repeats > 1)
        return clips * self._frames * int(np.prod(self.store.largest)) * 3

    def batch(self, positions: range) -> Batch:
        """Load the crops at successive positions of the stream."""
        video = np.empty(self.shape(positions), np.uint8)
        crops = self.load(positions, positions, video)
        return self.collect(positions, torch.from_numpy(video), [crops])

    def load(self, part: range, positions: range, video: Frames) -> Crops:
        """Load a part of a batch.

        Args:
            part: positions of the part, from `split`.
            positions: positions of the whole batch.
            video: the whole batch's video, of the shape `shape(positions)`; the clips of the part
                are decoded into it.
        """
        if not part:
            return Crops(self.store.targets[:0], [], [])
        first, draws = self._draws(positions).start, self._draws(part)
        clips = self._clips(draws)
        self._decode(draws, clips, video[draws.start - first : draws.stop - first])
        places = [position // self.repeats - draws.start for position in part]
        crops = Crops(self.store.targets[clips[places]], [], [])
        for position, place in zip(part, places, strict=True):
            rng = np.random.default_rng((self.seed, AUGMENTATION, position))
            if self.draw_edits:
                crops.edits.append(self.draw_edits(rng))
            height, width = self.store.size(clips[place])
            box = self.draw_box(height, width, rng)
            crops.boxes.append(PlacedBox(draws.start - first + place, height, width, *box))
        return crops

    def collect(self, positions: range, video: Tensor, parts: Sequence[Crops]) -> Batch:
        """Return the batch whose video has been loaded in parts."""
        return Batch(
            video,
            torch.from_numpy(np.concatenate([part.targets for part in parts])),
            positions.start,
            boxes=CropBoxes.of(chain.from_iterable(part.boxes for part in parts)),
            size=self.size,
            edits=[*chain.from_iterable(part.edits for part in parts)] or None,
        )

    def _decode(self, draws: range, clips: NDArray[np.int64], video: Frames) -> None:
        """Decode clips into an array (clips, T, H, W, 3) that may be larger than their frames."""
        for draw, clip, out in zip(draws, clips, video, strict=True):
            rng = np.random.default_rng((self.seed, FRAMES, draw))
            frames = self.draw_frames(self.store.length(clip), rng)
            height, width = self.store.size(clip)
            if (height, width) != out.shape[1:3]:
                # No crop shows the padding, but a batch must not depend on what the memory held:
                # `cut_batched` multiplies the padding by 0.
                out[:] = 0
            self.store.frames(clip, frames, out=out[:, :height, :width])

    def _draws(self, positions: range) -> range:
        """Return the numbers of the clips in the stream, each counted once for all its crops."""
        return range(positions.start // self.repeats, -(-positions.stop // self.repeats))

    def _clips(self, draws: range) -> NDArray[np.int64]:
        """Return the clips of some draws."""
        epochs, places = np.divmod(draws, len(self.store))
        return np.concatenate(
            [self._epoch_order(e)[places[epochs == e]] for e in np.unique(epochs).tolist()]
        )

    def _epoch_order(self, epoch: int) -> NDArray[np.int64]:
        """Return the order of the clips in an epoch; the last one is kept."""
        if epoch != self._epoch:
            rng = np.random.default_rng((self.seed, ORDER, epoch))
            self._epoch, self._order = epoch, self.order(rng)
        return self._order

    @cached_property
    def _frames(self) -> int:
        """Number of frames of each clip in a batch."""
        return len(self.draw_frames(self.store.length(0), np.random.default_rng(0)))
