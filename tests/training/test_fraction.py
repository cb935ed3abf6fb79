"""A share of the clips: stratified by class, seeded, nested."""

import numpy as np
import pytest
from helpers.toy_shards import make_shards

from svfap.errors import SvfapError
from svfap.shards.store import ClipStore
from svfap.training import fraction


@pytest.fixture
def store(tmp_path):
    """Two indexes: 20 clips of class 0 and 10 of class 1."""
    first = make_shards(tmp_path / "a", [0] * 15 + [1] * 5, frames=2)
    return ClipStore([first, make_shards(tmp_path / "b", [0] * 5 + [1] * 5, frames=2, seed=1)])


def part(store, share, seed=0):
    return fraction.of(store, share, seed=seed, classes=store.targets[:, 0])


@pytest.mark.parametrize(("share", "counts"), [(0.5, (10, 5)), (0.1, (2, 1)), (0.001, (1, 1))])
def test_each_class_keeps_its_share(store, share, counts):
    labels = part(store, share).targets[:, 0]
    assert tuple(np.bincount(labels.astype(int))) == counts


def test_all_clips_are_the_store_itself(store):
    assert fraction.of(store, 1, seed=0) is store


def test_smaller_shares_are_subsets_of_larger_ones_and_seeds_differ(store):
    small, large, other = (set(part(store, *a).keys) for a in ((0.2,), (0.5,), (0.5, 1)))
    assert small < large
    assert large != other
    assert large == set(part(store, 0.5).keys)


def test_clips_keep_their_frames_and_labels(store):
    chosen = part(store, 0.5)
    for clip, key in enumerate(chosen.keys):
        whole = store.keys.index(key)
        np.testing.assert_array_equal(chosen.frames(clip, [0, 1]), store.frames(whole, [0, 1]))
        assert chosen.targets[clip] == store.targets[whole]
        assert chosen.length(clip) == store.length(whole)
    assert len(chosen) == 15


def test_without_classes_the_share_is_of_all_clips(store):
    assert len(fraction.of(store, 0.1, seed=0)) == 3


def test_held_out_people_are_spread_and_in_one_store_only(store):
    trained, unseen = fraction.hold_out(store, 2)
    assert len({*unseen.subjects}) == 2
    assert not {*unseen.subjects} & {*trained.subjects}
    assert sorted(trained.keys + unseen.keys) == sorted(store.keys)
    with pytest.raises(SvfapError, match="held_out is 99"):
        fraction.hold_out(store, 99)
