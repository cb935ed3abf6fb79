"""Scaling of frames to the input size of a model."""

import numpy as np

from svfap.video.resize import resize


def test_frames_of_the_right_size_are_returned_as_they_are():
    frames = np.zeros((2, 80, 80, 3), np.uint8)
    assert resize(frames, 80) is frames


def test_other_frames_are_scaled():
    frames = np.full((2, 60, 80, 3), 7, np.uint8)
    for size in (30, 90):
        scaled = resize(frames, size)
        assert scaled.shape == (2, size, size, 3)
        assert (scaled == 7).all()
