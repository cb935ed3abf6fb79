"""The head's pose from five points."""

import numpy as np
import pytest
from helpers.synthetic_scenes import Take, film

from svfap.faces.pose import head_pose


def pose(**angles: float) -> tuple[float, float, float]:
    return head_pose(film(Take(frames=9, **angles))[1][0])


def test_turns_and_tilts_show_in_proportion() -> None:
    rolls = [pose(roll=angle)[2] for angle in (-30, 0, 30)]
    assert np.diff(rolls) == pytest.approx([30, 30], abs=4)
    yaws = [pose(yaw=angle)[0] for angle in (-30, -15, 0, 15, 30)]
    steps = np.diff(yaws)
    assert (np.abs(steps) > 5).all()
    assert (np.sign(steps) == np.sign(steps[0])).all()
    assert max(abs(pose(roll=angle)[0] - yaws[2]) for angle in (-30, 30)) < 5


def test_points_on_one_spot_give_numbers() -> None:
    assert np.isfinite(head_pose(np.ones((5, 2)))).all()
