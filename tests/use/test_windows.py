"""Windows hold the same frames as in testing, at any frame rate, and are read from a stream."""

import numpy as np
import pytest

from svfap.use.windows import gather_windows, place_windows
from svfap.video.sampling import evaluation_indices


def frames_of(made, number):
    start = made.starts[number]
    return made.sampled[start : start + made.frames]


@pytest.mark.parametrize("length", [5, 31, 32, 33, 64, 100, 257])
@pytest.mark.parametrize("stride", [1, 2, 4])
def test_first_and_last_window_are_the_views_of_testing(length, stride):
    made = place_windows(length, frames=8, step=stride, hop=stride * 4)
    views = evaluation_indices(length, 8, stride, 2)
    np.testing.assert_array_equal(frames_of(made, 0), views[0])
    np.testing.assert_array_equal(
        frames_of(made, -1), views[-1] if len(made.starts) > 1 else views[0]
    )
    assert made.padded == (length <= 7 * stride)


def test_windows_are_a_hop_apart_and_reach_the_end():
    made = place_windows(100, frames=8, step=2, hop=8)
    gaps = np.diff(made.starts)
    assert set(gaps[:-1]) == {4}
    assert 2 < gaps[-1] <= 6
    assert frames_of(made, -1)[-1] == 98


def test_another_frame_rate_spans_the_same_time():
    """A stride of 4 at 25 frames per second is 0.16 s at any other frame rate."""
    for fps in (15, 30, 50):
        made = place_windows(10 * fps, frames=16, step=4 * fps / 25, hop=1000)
        times = frames_of(made, 0) / fps
        assert np.abs(times - 0.16 * np.arange(16)).max() < 1 / fps


def test_gathered_windows_hold_their_frames():
    grids = [place_windows(20, frames=4, step=2, hop=4), place_windows(9, frames=4, step=2, hop=2)]
    pictures = [(0, 0), (0, 2), (1, 0), (0, 4), (1, 2), (1, 4), (0, 6), (1, 6), (1, 8)]
    pictures += [(0, number) for number in range(8, 20, 2)]
    stream = ((clip, np.full((1, 1, 3), number, np.uint8)) for clip, number in pictures)
    windows = gather_windows(stream, grids)
    found = {(clip, number): frames[:, 0, 0, 0] for clip, number, frames in windows}
    assert list(found) == [(0, 0), (1, 0), (1, 1), (0, 1), (0, 2), (0, 3)]
    for (clip, window), frames in found.items():
        np.testing.assert_array_equal(frames, frames_of(grids[clip], window))
