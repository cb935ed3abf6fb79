"""The stream of crops that a run trains on: each batch is a function of seed and position."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from svfap.augment.crop_box import CropBoxes, DrawBox, PlacedBox
from svfap.augment.rand_augment import DrawEdits
from svfap.shards.store import ClipStore
from svfap.training.batch import Batch
from svfap.video.resize import Frames

DrawFrames = Callable[[int, np.random.Generator], NDArray[np.int64]]
Allocate = Callable[[tuple[int, ...]], Frames]

# Second number of each generator's seed. It makes order, frames and augmentation independent.
# `fraction` uses 3.
ORDER, FRAMES, AUGMENTATION = 0, 1, 2


def _allocate(shape: tuple[int, ...]) -> Frames:
    return np.empty(shape, np.uint8)


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
        if epoch != self._epoch:
            rng = np.random.default_rng((self.seed, ORDER, epoch))
            self._epoch, self._order = epoch, self.order(rng)
        return int(self._order[place])

    def most_bytes(self, count: int) -> int:
        """Return the largest possible size, in bytes, of the video of a batch of `count` crops."""
        # With repeats, a batch may begin and end amid a clip's crops, so it may have one clip more.
        clips = -(-count // self.repeats) + (self.repeats > 1)
        frames = len(self.draw_frames(self.store.length(0), np.random.default_rng(0)))
        return clips * frames * int(np.prod(self.store.largest)) * 3

    def batch(self, positions: Sequence[int], allocate: Allocate = _allocate) -> Batch:
        """Load the crops at successive positions of the stream.

        Args:
            positions: positions of the crops in the stream.
            allocate: function that returns an array for the clips, given its shape.
        """
        draws = [position // self.repeats for position in positions]
        decoded = list(dict.fromkeys(draws))
        sizes = [self.store.size(self.clip(draw * self.repeats)) for draw in decoded]
        video = self._decode(decoded, sizes, allocate)
        boxes, edits = [], []
        for position, draw in zip(positions, draws, strict=True):
            rng = np.random.default_rng((self.seed, AUGMENTATION, position))
            place = decoded.index(draw)
            if self.draw_edits:
                edits.append(self.draw_edits(rng))
            height, width = sizes[place]
            boxes.append(PlacedBox(place, height, width, *self.draw_box(height, width, rng)))
        targets = self.store.targets[[self.clip(position) for position in positions]]
        return Batch(
            torch.from_numpy(video),
            torch.from_numpy(targets),
            positions[0],
            boxes=CropBoxes.of(boxes),
            size=self.size,
            edits=edits or None,
        )

    def _decode(
        self, draws: Sequence[int], sizes: Sequence[tuple[int, int]], allocate: Allocate
    ) -> Frames:
        """Decode clips into one array (clips, T, H, W, 3), padded to the largest of them."""
        chosen = []
        for draw in draws:
            clip = self.clip(draw * self.repeats)
            rng = np.random.default_rng((self.seed, FRAMES, draw))
            chosen.append((clip, self.draw_frames(self.store.length(clip), rng)))
        video = allocate((len(draws), len(chosen[0][1]), *map(max, zip(*sizes, strict=True)), 3))
        if len({*sizes}) > 1:
            # No crop shows the padding, but a batch must not depend on what the memory held:
            # `cut_batched` multiplies the padding by 0.
            video[:] = 0
        for out, (clip, frames), (height, width) in zip(video, chosen, sizes, strict=True):
            self.store.frames(clip, frames, out=out[:, :height, :width])
        return video
