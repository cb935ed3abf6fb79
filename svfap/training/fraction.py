"""A share of the training clips, for learning from less data (paper figure 7 and table 8)."""

import numpy as np
from numpy.typing import ArrayLike

from svfap.shards.store import ClipStore


def of(store: ClipStore, share: float, *, seed: int, classes: ArrayLike | None = None) -> ClipStore:
    """The store with a share of its clips, in their old order.

    A smaller share of the same seed is part of a larger one. Each class keeps at least one clip.

    Args:
        store: the clips.
        share: in (0, 1]; rounded to whole clips within each class.
        seed: of the choice.
        classes: of each clip, which all keep their share; None chooses among all clips alike.
    """
    if share == 1:
        return store
    labels = np.zeros(len(store)) if classes is None else np.asarray(classes)
    rng = np.random.default_rng((seed, 3))
    kept = [
        rng.permutation(members)[: max(1, round(share * len(members)))]
        for members in (np.flatnonzero(labels == label) for label in np.unique(labels))
    ]
    return store.take(np.sort(np.concatenate(kept)))
