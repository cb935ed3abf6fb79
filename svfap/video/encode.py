"""Write and cut H.264 mp4 files with ffmpeg, reproducibly, and completely or not at all."""

import contextlib
import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import chain
from pathlib import Path
from typing import IO

import ffmpeg
import imageio_ffmpeg
import numpy as np

from svfap.errors import SvfapError
from svfap.overwriting import keep_inputs
from svfap.replacing import replacing
from svfap.video.decode import Reject, find_stream
from svfap.video.image import Image

logger = logging.getLogger(__name__)

# File names replace these placeholders only when ffmpeg runs: ffmpeg-python (0.2) formats its
# arguments as text, which fails for names that are not valid UTF-8.
SOURCE, TARGET = "SOURCE", "TARGET"
_LEAD = 5.0  # seconds before a cut at which decoding starts, so that no wanted frame is missed
_ROUNDING = 0.001  # seconds; files and people round times to milliseconds
MP4 = {
    "format": "mp4",
    # Without "bitexact" the file would hold the version of ffmpeg.
    "flags": "+bitexact",
    "fflags": "+bitexact",
    "map_metadata": -1,
    "movflags": "+faststart",  # puts the index first, so browsers start before the end is loaded
}
# The same frames give the same bytes: x264 decides differently with more threads.
X264 = {**MP4, "vcodec": "libx264", "threads": 1}


def write_video(
    path: Path,
    frames: Iterable[Image],
    *,
    fps: float,
    crf: int = 20,
    preset: str = "veryfast",
    pix_fmt: str = "yuv420p",
) -> None:
    """Encode frames to an H.264 mp4 file, which gets its name only when it is complete.

    Args:
        path: file to write; its folder must exist.
        frames: RGB frames (height, width, 3) uint8, all of one shape, with even sides for
            "yuv420p".
        fps: frames per second.
        crf: x264's quality, 0 (lossless) to 51.
        preset: x264's speed preset.
        pix_fmt: pixel format of the file.

    Raises:
        SvfapError: there are no frames, their shapes differ, or ffmpeg fails.
    """
    source = iter(frames)
    first = next(source, None)
    if first is None:
        raise SvfapError(f"{path}: no frames to write; give at least one")
    height, width = first.shape[:2]
    stream = ffmpeg.input(
        "pipe:", format="rawvideo", pix_fmt="rgb24", s=f"{width}x{height}", framerate=fps
    )
    output = stream.output(TARGET, crf=crf, preset=preset, pix_fmt=pix_fmt, **X264)
    with replacing(path) as partial:
        raw = _raw_frames(path, chain((first,), source), first.shape)
        run_ffmpeg(output, path, {TARGET: partial}, chunks=raw)


def cut(
    source: Path, destination: Path, *, start: float | None = None, end: float | None = None
) -> None:
    """Cut a part out of a video, exact to the frame, re-encoded as H.264 without sound.

    Args:
        source: any video that ffmpeg reads.
        destination: mp4 file to write.
        start: first second to keep; None keeps the beginning.
        end: second at which to stop; None keeps the end.

    Raises:
        SvfapError: there are no frames between start and end, ffmpeg fails, or the destination is
            the source.
    """
    keep_inputs([source], [destination])
    if (start or 0) < 0 or (end is not None and end <= (start or 0)):
        raise SvfapError(f"{source}: cannot cut from {start} s to {end} s; end must follow start")
    # The cut is exact, because frames are chosen by their times and re-encoded.
    video = _span_of(source, start or 0.0, end)
    even = video.filter("scale", "trunc(iw/2)*2", "trunc(ih/2)*2")  # yuv420p needs even sides
    output = even.output(
        TARGET,
        crf=18,
        preset="veryfast",
        pix_fmt="yuv420p",
        fps_mode="passthrough",  # keep the time stamps: neither repeat nor drop frames
        **X264,
    )
    with replacing(destination) as partial:
        log = run_ffmpeg(output, source, {SOURCE: source, TARGET: partial})
        # ffmpeg exits with 0 even if no frame lies within the span.
        if "Output file is empty" in log or partial.stat().st_size == 0:
            raise SvfapError(f"{source}: no frames between {start} s and {end} s; check its length")


def _span_of(source: Path, start: float, end: float | None) -> ffmpeg.nodes.FilterableStream:
    """Return the frames of a video between two seconds, as a stream of ffmpeg-python."""
    try:
        place = find_stream(source)
    except Reject as reject:
        raise SvfapError(f"{source}: {reject}") from None
    # A jump makes cutting fast in a long video. Formats without an index of their key frames are
    # decoded from the beginning: after a jump, their pictures or times would be wrong.
    jump = max(0.0, start - _LEAD) if place.has_index else 0.0
    read: dict[str, float] = {"ss": jump} if jump else {}
    wanted = f"gte(t,{start - jump - _ROUNDING})"
    if end is not None:
        read["t"] = end - jump + _LEAD
        wanted += f"*lt(t,{end - jump - _ROUNDING})"
    video = ffmpeg.input(SOURCE, **read)[str(place.number)]
    return video.filter("select", wanted).filter("setpts", "PTS-STARTPTS")


def _raw_frames(path: Path, frames: Iterable[Image], shape: tuple[int, ...]) -> Iterator[bytes]:
    """Yield the bytes of each frame, after checking its shape and type."""
    for index, frame in enumerate(frames):
        if frame.shape != shape or frame.dtype != np.uint8:
            raise SvfapError(
                f"{path}: frame {index} is {frame.dtype} {frame.shape}, not uint8 {shape};"
                " all frames of a video need one shape"
            )
        yield frame.tobytes()


@cache
def find_ffmpeg() -> str:
    """Return the ffmpeg program to run.

    Raises:
        SvfapError: there is none; only with a package of imageio-ffmpeg that lacks its program.
    """
    named = os.environ.get("IMAGEIO_FFMPEG_EXE")
    if named and shutil.which(named) is None:
        logger.warning("IMAGEIO_FFMPEG_EXE is %s, which is no program; it is ignored", named)
        # The package believes the variable without a check.
        del os.environ["IMAGEIO_FFMPEG_EXE"]
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError:
        raise SvfapError("no ffmpeg program found; reinstall imageio-ffmpeg") from None


def run_ffmpeg(
    output: object, about: Path, files: Mapping[str, Path], *, chunks: Iterable[bytes] = ()
) -> str:
    """Run ffmpeg and return its log.

    Args:
        output: the command to run, built by ffmpeg-python.
        about: the file to name in errors.
        files: the files to put in place of words such as SOURCE and TARGET.
        chunks: bytes for its standard input.

    Raises:
        SvfapError: ffmpeg fails; the message is the last line of its log.
    """
    # The log goes to a file: a pipe that nobody reads while frames are written would fill up, and
    # ffmpeg would wait for us as we wait for it.
    with tempfile.TemporaryFile() as log:
        binary, *rest = ffmpeg.compile(ffmpeg.overwrite_output(output), cmd=find_ffmpeg())
        # Paths are absolute, so that a name such as "-y.mp4" is not parsed as an option.
        rest = [str(files[word].absolute()) if word in files else word for word in rest]
        arguments = [binary, "-nostdin", "-loglevel", "warning", *rest]
        with subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=log
        ) as process:
            try:
                _feed(process, chunks)
            except BaseException:
                process.kill()
                _close(process)
                raise
        message = _tail(log)
    if process.returncode:
        last = message.splitlines()[-1] if message else f"exit status {process.returncode}"
        raise SvfapError(f"{about}: ffmpeg failed: {last}")
    return message


def _feed(process: "subprocess.Popen[bytes]", chunks: Iterable[bytes]) -> None:
    """Write to ffmpeg's input until all is written, or until ffmpeg ends early and logs why."""
    assert process.stdin is not None
    try:
        for chunk in chunks:
            process.stdin.write(chunk)
        process.stdin.close()
    except BrokenPipeError:
        _close(process)


def _close(process: "subprocess.Popen[bytes]") -> None:
    """Close the input of an ffmpeg that no longer reads it; what is still buffered is lost."""
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()


def _tail(log: IO[bytes], size: int = 4096) -> str:
    """Return the last bytes of a log as text."""
    length = log.seek(0, os.SEEK_END)
    log.seek(max(0, length - size))
    return log.read().decode(errors="replace").strip()
