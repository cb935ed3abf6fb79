"""The frames of a clip."""

import numpy as np
import pytest

from svfap.video.sampling import evaluation_indices, finetune_indices, pretrain_indices


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("length", [1, 2, 15, 16, 63, 64, 65, 200])
@pytest.mark.parametrize("sample", [pretrain_indices, finetune_indices])
def test_indices_are_frames_of_the_video_in_order(length, sample, rng):
    for _ in range(20):
        chosen = sample(length, 16, 4, rng)
        assert chosen.shape == (16,)
        assert chosen.min() >= 0
        assert chosen.max() < length
        assert (np.diff(chosen) >= 0).all()


def test_pretraining_windows_have_a_fixed_stride_and_reach_both_ends(rng):
    windows = np.array([pretrain_indices(70, 16, 4, rng) for _ in range(200)])
    assert (np.diff(windows, axis=1) == 4).all()
    assert {*windows[:, 0]} == {*range(7)}


def test_short_training_videos_are_covered_and_the_last_frame_repeats(rng):
    chosen = finetune_indices(40, 16, 4, rng)
    assert chosen[0] == 0
    assert (chosen[10:] == 39).all()


def test_long_training_windows_span_frames_times_stride(rng):
    for _ in range(50):
        chosen = finetune_indices(100, 16, 4, rng)
        assert 60 <= chosen[-1] - chosen[0] <= 64


def test_views_are_the_first_and_last_clip():
    first, last = evaluation_indices(100, 16, 4, 2)
    assert first.tolist() == list(range(0, 64, 4))
    assert last.tolist() == list(range(36, 100, 4))


def test_equal_views_are_given_once():
    (only,) = evaluation_indices(30, 16, 4, 2)
    assert only.tolist() == [0, 4, 8, 12, 16, 20, 24, 28] + [29] * 8
