"""Choose training clips: a share (paper figure 7 and table 8), or all but some people's."""

import numpy as np
from numpy.typing import ArrayLike

from svfap.errors import SvfapError
from svfap.shards.store import ClipStore


def of(store: ClipStore, share: float, *, seed: int, classes: ArrayLike | None = None) -> ClipStore:
    """Return the store with a random share of its clips, in their old order.

    With the same seed, a smaller share is a subset of a larger one. Each class keeps at least one
    clip.

    Args:
        store: the clips.
        share: share of the clips, in (0, 1], rounded to whole clips within each class.
        seed: seed of the random choice.
        classes: class of each clip; the share is chosen within each class. None if there are no
            classes.
    """
    if share == 1:
        return store
    labels = np.zeros(len(store)) if classes is None else np.asarray(classes)
    rng = np.random.default_rng((seed, 3))  # 0 to 2 seed the draws of `svfap.training.draws`
    kept = [
        rng.permutation(members)[: max(1, round(share * len(members)))]
        for members in (np.flatnonzero(labels == label) for label in np.unique(labels))
    ]
    return store.take(np.sort(np.concatenate(kept)))


def hold_out(store: ClipStore, people: int) -> tuple[ClipStore, ClipStore]:
    """Split a store into the clips to train on and the clips of some people, spread over it.

    For nobody, both are the whole store.

    Raises:
        SvfapError: nobody would be left to train on.
    """
    if not people:
        return store, store
    subjects = np.array(store.subjects)
    everyone = list(dict.fromkeys(store.subjects))
    if people >= len(everyone):
        raise SvfapError(
            f"pretrain.held_out is {people}, but the clips show {len(everyone)} people; lower it"
        )
    places = (np.arange(people) + 0.5) * len(everyone) / people
    is_out = np.isin(subjects, [everyone[place] for place in places.astype(int)])
    return store.take(np.flatnonzero(~is_out)), store.take(np.flatnonzero(is_out))
