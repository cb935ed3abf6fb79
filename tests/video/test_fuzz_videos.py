"""Damaged videos of 20 kinds are cropped, rejected with a reason, and cost no other video.

`SVFAP_FUZZ_VIDEOS=5000 python -m pytest tests/video/test_fuzz_videos.py --timeout 0` tries so many.
"""

import os

from fuzz_videos import WHOLE_EVERY, fuzz

CASES = int(os.environ.get("SVFAP_FUZZ_VIDEOS", "200"))
MOST_MEGABYTES = 100


def test_damaged_videos(tmp_path):
    tally = fuzz(tmp_path, cases=CASES)
    assert tally.wrong == []
    assert tally.outcomes["whole: clips"] == CASES // WHOLE_EVERY
    assert tally.outcomes.total() == CASES
    megabytes, files = tally.growth()
    assert megabytes < MOST_MEGABYTES
    assert files <= 2
