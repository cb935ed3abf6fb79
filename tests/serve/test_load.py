"""Many requests: all are answered alike, and the memory does not grow.

Run as a program, it measures: `PYTHONPATH=tests python tests/serve/test_load.py MODEL VIDEO`.
"""

import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from helpers.photo_videos import face_frames, save
from helpers.random_checkpoints import write_checkpoint
from helpers.served import served

AT_ONCE, IN_A_ROW = 50, 1000
WARM = 100  # requests after which the memory is compared
MOST_GROWTH = 40e6  # bytes, over all processes; the allocators of Python and torch vary by less


def measure(model, video, temporary):
    """Send many requests at once, then many in a row; return figures."""
    with served(model, temporary) as server:
        score = lambda _=None: server.post(video=video, timeout=600)  # noqa: E731
        first = score().json()
        began = time.monotonic()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            every = [*pool.map(score, range(AT_ONCE))]
        at_once = time.monotonic() - began
        assert [answer.json() for answer in every] == [first] * AT_ONCE
        memory, began = 0.0, time.monotonic()
        for number in range(IN_A_ROW):
            if number == WARM:
                memory = server.memory()
            assert score().json() == first
        in_a_row = time.monotonic() - began
        server.until_nothing_is_left()
        return {
            f"seconds for {AT_ONCE} at once": at_once,
            f"seconds for {IN_A_ROW} in a row": in_a_row,
            f"memory after {WARM} in MB": memory / 1e6,
            f"memory after {IN_A_ROW} in MB": server.memory() / 1e6,
        }


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_many_requests_are_answered_and_memory_does_not_grow(tmp_path, toy_model):
    video = save(tmp_path / "face.mp4", face_frames(20))
    figures = measure(write_checkpoint(tmp_path / "m.pt", toy_model), video, tmp_path / "server")
    print(figures)
    _, _, before, after = figures.values()
    assert after - before < MOST_GROWTH / 1e6


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for name, value in measure(*sys.argv[1:3], Path(folder)).items():
            print(f"{name}: {value:.1f}")
