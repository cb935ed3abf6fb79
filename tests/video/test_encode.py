"""Encoding and cutting: the file has the requested contents, and exists only when complete."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from svfap.errors import SvfapError
from svfap.video.encode import cut, write_video

STEP = 5


def _greys(count: int, *, width: int = 64, height: int = 48) -> Iterator[NDArray[np.uint8]]:
    """Frames whose brightness gives their index."""
    for index in range(count):
        yield np.full((height, width, 3), 10 + STEP * index, np.uint8)


def _indices(path: Path) -> list[int]:
    with av.open(str(path)) as container:
        levels = [frame.to_ndarray(format="gray").mean() for frame in container.decode(video=0)]
    return [round((level - 10) / STEP) for level in levels]


@pytest.mark.parametrize(("fps", "pix_fmt"), [(24, "yuv420p"), (25, "yuv422p"), (30, "yuv444p")])
def test_the_file_has_the_requested_size_rate_and_length(
    tmp_path: Path, fps: int, pix_fmt: str
) -> None:
    path = tmp_path / "video.mp4"
    write_video(path, _greys(12, width=96, height=64), fps=fps, pix_fmt=pix_fmt)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.width, stream.height) == ("h264", 96, 64)
        assert stream.average_rate == fps
        assert stream.pix_fmt == pix_fmt
    assert _indices(path) == list(range(12))


def test_colours_are_red_green_blue(tmp_path: Path) -> None:
    path = tmp_path / "red.mp4"
    write_video(path, [np.full((32, 32, 3), (220, 40, 60), np.uint8)] * 3, fps=25)
    with av.open(str(path)) as container:
        first = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert np.abs(first.reshape(-1, 3).mean(axis=0) - (220, 40, 60)).max() < 6


def test_the_same_frames_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        write_video(tmp_path / name, _greys(9), fps=25)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_a_finished_video_leaves_no_other_file(tmp_path: Path) -> None:
    write_video(tmp_path / "video.mp4", _greys(3), fps=25)
    assert [path.name for path in tmp_path.iterdir()] == ["video.mp4"]


def test_a_failing_source_leaves_no_file(tmp_path: Path) -> None:
    def broken() -> Iterator[NDArray[np.uint8]]:
        yield from _greys(3)
        raise RuntimeError("camera fell")

    with pytest.raises(RuntimeError, match="camera fell"):
        write_video(tmp_path / "video.mp4", broken(), fps=25)
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_ffmpeg_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SvfapError, match=r"video\.mp4: ffmpeg failed: .+") as caught:
        write_video(tmp_path / "video.mp4", _greys(400), fps=25, preset="no-such-preset")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "frames", [[], [np.zeros((8, 8, 3), np.uint8), np.zeros((8, 6, 3), np.uint8)]]
)
def test_missing_or_uneven_frames_are_refused(
    tmp_path: Path, frames: list[NDArray[np.uint8]]
) -> None:
    with pytest.raises(SvfapError, match="frame"):
        write_video(tmp_path / "video.mp4", frames, fps=25)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("start", "end", "kept"),
    [
        (None, None, range(40)),
        (0.4, 1.2, range(10, 30)),
        (None, 0.2, range(5)),
        (1.4, None, range(35, 40)),
    ],
)
def test_cut_keeps_exactly_the_frames_between(
    tmp_path: Path, start: float | None, end: float | None, kept: range
) -> None:
    write_video(tmp_path / "whole.mp4", _greys(40), fps=25)
    cut(tmp_path / "whole.mp4", tmp_path / "part.mp4", start=start, end=end)
    assert _indices(tmp_path / "part.mp4") == list(kept)
    with av.open(str(tmp_path / "part.mp4")) as container:
        assert container.streams.video[0].average_rate == 25


@pytest.mark.parametrize(("start", "end"), [(5.0, 6.0), (0.5, 0.5), (1.0, 0.2), (-1.0, 1.0)])
def test_cut_refuses_an_empty_span(tmp_path: Path, start: float, end: float) -> None:
    write_video(tmp_path / "whole.mp4", _greys(20), fps=25)
    with pytest.raises(SvfapError, match=r"whole\.mp4"):
        cut(tmp_path / "whole.mp4", tmp_path / "part.mp4", start=start, end=end)
    assert [path.name for path in tmp_path.iterdir()] == ["whole.mp4"]


def test_cut_of_a_file_that_is_no_video_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("no video " * 100)
    with pytest.raises(SvfapError, match=r"notes\.mp4: not a readable video \(.+\)$"):
        cut(tmp_path / "notes.mp4", tmp_path / "part.mp4", start=0, end=1)


def test_cut_makes_odd_sides_even(tmp_path: Path) -> None:
    source = tmp_path / "odd.mp4"
    write_video(source, _greys(10, width=65, height=49), fps=25, pix_fmt="yuv444p")
    cut(source, tmp_path / "even.mp4")
    with av.open(str(tmp_path / "even.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.pix_fmt) == (64, 48, "yuv420p")


def test_several_threads_may_encode_at_once(tmp_path: Path) -> None:
    paths = [tmp_path / f"{index}.mp4" for index in range(3)]
    jobs = [
        threading.Thread(target=write_video, args=(path, _greys(20)), kwargs={"fps": 25})
        for path in paths
    ]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join(30)
    assert all(_indices(path) == list(range(20)) for path in paths)


@pytest.mark.parametrize(
    "name", [b"bad\xff.mp4", b"-y.mp4", b"SOURCE", b"TARGET", b"%d\n'$(id).mp4"]
)
def test_names_of_every_kind(tmp_path: Path, name: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that are not UTF-8, that look like options, or like the placeholders of names."""
    monkeypatch.chdir(tmp_path)
    whole, part = Path(os.fsdecode(name)), Path("part")
    write_video(whole, _greys(20), fps=25)
    cut(whole, part, start=0.4)
    assert [_indices(path) for path in (whole, part)] == [[*range(20)], [*range(10, 20)]]
