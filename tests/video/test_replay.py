"""A video that is read twice."""

import gc
from pathlib import Path

import av
import numpy as np
import pytest
from helpers.photo_videos import face_frames, save

from svfap.video.decode import Reject
from svfap.video.replay import Replay


@pytest.mark.parametrize(("limit", "kept"), [(10**9, True), (10**6, False), (0, False)])
def test_the_second_reading_gives_the_same(tmp_path: Path, limit: int, kept: bool) -> None:
    path = save(tmp_path / "a.mp4", face_frames(30))
    replay = Replay(path, limit=limit)
    first = [frame.bgr() for frame in replay]
    if kept:
        path.unlink()
    second = [frame.bgr() for frame in replay]
    assert len(first) == len(second) == 30
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))


def test_a_partial_reading_does_not_count_as_the_whole(tmp_path: Path) -> None:
    replay = Replay(save(tmp_path / "a.mp4", face_frames(30)))
    next(iter(replay))
    assert sum(1 for _ in replay) == 30


def test_a_bad_file_is_rejected_each_time(tmp_path: Path) -> None:
    replay = Replay(tmp_path / "missing.mp4")
    for _ in range(2):
        with pytest.raises(Reject, match="no such file"):
            list(replay)


def test_frames_are_freed_without_the_garbage_collector(tmp_path: Path) -> None:
    replay = Replay(save(tmp_path / "a.mp4", face_frames(30)))
    gc.collect()  # frames of other tests
    gc.disable()
    try:
        assert len({frame.size for frame in replay}) == 1
        del replay
        assert not any(type(thing) is av.VideoFrame for thing in gc.get_objects())
    finally:
        gc.enable()
