"""Balance rare and frequent classes, by sampling or by weights in the loss."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from svfap.training.draws import Draws


class BalancedDraws(Draws):
    """Draws with the same number of clips of each class per epoch, give or take one.

    Balancing does not change the length of an epoch. An epoch repeats the clips of a rare class,
    all equally often, give or take one. It has a random subset of the clips of a frequent class.
    """

    def order(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw the order of the clips of one epoch."""
        return balanced_order(self.store.targets[:, 0], rng)


def balanced_order(classes: ArrayLike, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw clips in random order: `len(classes)` clips, the same number of each class.

    Args:
        classes: class of each clip.
        rng: random generator for the clips and their order.
    """
    labels = np.asarray(classes)
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    counts = np.full(len(members), len(labels) // len(members))
    # Random classes get the clips that remain after dividing evenly.
    counts[rng.permutation(len(members))[: len(labels) % len(members)]] += 1
    chosen = [_in_rounds(clips, count, rng) for clips, count in zip(members, counts, strict=True)]
    return rng.permutation(np.concatenate(chosen))


def _in_rounds(clips: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw `count` clips in shuffled rounds; each round has every clip once."""
    rounds = np.tile(clips, (-(-count // len(clips)), 1))
    return rng.permuted(rounds, axis=1).ravel()[:count]


def class_weights(classes: ArrayLike, count: int) -> NDArray[np.float32]:
    """Return class weights (count,), inverse to the number of clips; their mean over clips is 1.

    Args:
        classes: class of each clip.
        count: number of classes; a class without clips has weight 0.
    """
    clips = np.bincount(np.asarray(classes).astype(np.int64), minlength=count)
    mean = clips.sum() / np.count_nonzero(clips)
    weights: NDArray[np.float32] = np.zeros(count, np.float32)
    np.divide(mean, clips, out=weights, where=clips > 0, casting="same_kind")
    return weights
