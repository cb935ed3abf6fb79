"""Rare classes against frequent ones: shown as often, or weighing as much in the loss."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from svfap.training.draws import Draws


class EqualShares(Draws):
    """Epochs of the usual length in which every class comes equally often, within one clip.

    The clips of a class take turns: none comes again before the others have come as often. A
    frequent class shows a random choice of its clips in each epoch.
    """

    def order(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Numbers of the clips of an epoch."""
        return equal_shares(self.store.targets[:, 0], rng)


def equal_shares(classes: ArrayLike, rng: np.random.Generator) -> NDArray[np.int64]:
    """Numbers of as many clips as there are, in which all classes have the same share.

    Args:
        classes: of each clip.
        rng: draws which clips, and their order.
    """
    labels = np.asarray(classes)
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    shares = np.full(len(members), len(labels) // len(members))
    shares[rng.permutation(len(members))[: len(labels) % len(members)]] += 1
    chosen = [_in_turns(own, share, rng) for own, share in zip(members, shares, strict=True)]
    return rng.permutation(np.concatenate(chosen))


def _in_turns(clips: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """`count` of the clips, each again only after all others."""
    rounds = np.tile(clips, (-(-count // len(clips)), 1))
    return rng.permuted(rounds, axis=1).ravel()[:count]


def class_weights(classes: ArrayLike, count: int) -> NDArray[np.float32]:
    """Weights (count,) that make all classes weigh alike; their mean over the clips is 1.

    Args:
        classes: of each clip.
        count: number of classes; one without clips has weight 0.
    """
    clips = np.bincount(np.asarray(classes).astype(np.int64), minlength=count)
    mean = clips.sum() / np.count_nonzero(clips)
    weights: NDArray[np.float32] = np.zeros(count, np.float32)
    np.divide(mean, clips, out=weights, where=clips > 0, casting="same_kind")
    return weights
