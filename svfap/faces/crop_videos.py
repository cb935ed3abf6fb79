"""Crop many videos, one video at a time in each of several processes.

The clips of a video depend only on the video and the settings, so the files are the same whatever
the number of processes. A video is finished when its `faces/<key>.json` is written, and a finished
video is skipped; an interruption loses only the videos in progress, one per process.
"""

import logging
import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import cv2
import numpy as np
from av.error import FFmpegError

from svfap.config import CropConfig
from svfap.faces.clips import FaceClip, cut_clips
from svfap.faces.cropped_video import (
    CroppedClip,
    CroppedVideo,
    clip_key,
    file_stem,
    fingerprint,
    read_cropped_video,
    write_cropped_video,
)
from svfap.faces.detectors.make import make_detector
from svfap.faces.find_clips import find_clips
from svfap.faces.quality import blur
from svfap.video.decode import Reject
from svfap.video.facevideo import FaceVideoWriter, checksum, encode_jpeg
from svfap.video.frame import Frame
from svfap.video.replay import Replay
from svfap.video.reuse_memory import reuse_freed_memory
from svfap.video.shield import CRASHES, FRAME_SECONDS, set_cpu_limit

_QUEUED = 4  # videos submitted ahead for each process
_BLUR_EVERY = 25  # blur is measured in every n-th frame, often enough for a mean

_detector = cache(make_detector)  # a worker loads the weights once, not for every video

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class VideoToCrop:
    """A video to crop, and the key that its files are named after."""

    key: str
    path: Path


def crop_videos(
    jobs: Sequence[VideoToCrop], config: CropConfig, *, folder: Path, workers: int
) -> Iterator[CroppedVideo]:
    """Crop videos, and yield the outcomes in the order of the jobs.

    A video that kills the process that reads it (by crashing the decoder, hanging it, or using up
    the memory) is tried once more, alone, and rejected if it does so again; the other videos are
    unaffected.

    Args:
        jobs: the videos to crop.
        config: how to crop; its preset must not be None.
        folder: folder of the clips and outcomes.
        workers: number of processes.

    Raises:
        SvfapError: weights of the detector are missing.
        OSError: the folder cannot be written.
    """
    left = deque(jobs)
    count = max(1, min(workers, len(jobs)))
    while left:
        try:
            with _pool(count) as pool:
                calls = (partial(_crop, job, config, folder) for job in [*left])
                for outcome in _in_order(pool, calls, count):
                    left.popleft()
                    yield outcome
        except BrokenProcessPool:
            # The executor does not say which video killed its process, so every video that may
            # have been submitted is cropped alone; the rest then goes on in a new pool.
            submitted = min(len(left), _QUEUED * count + 1)
            yield from (_crop_alone(left.popleft(), config, folder) for _ in range(submitted))


def _crop_alone(job: VideoToCrop, config: CropConfig, folder: Path) -> CroppedVideo:
    """Crop a video in a process of its own; reject it if it kills the process.

    Such a reject has no fingerprint and is not written to disk, so the next run tries the video
    again: the cause may have been a lack of memory.
    """
    try:
        with _pool(1) as pool:
            return pool.submit(_crop, job, config, folder).result()
    except BrokenProcessPool:
        logger.warning("%s: killed the process that cropped it, twice", job.path)
        return CroppedVideo("", reject=CRASHES)


@contextmanager
def _pool(count: int) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool whose processes end at once when an error or interrupt leaves the block."""
    # Use "spawn": forking a process that has threads (OpenCV, FFmpeg) or uses CUDA can deadlock.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, mp_context=context, initializer=_start_worker) as pool:
        try:
            yield pool
        except BrokenProcessPool:
            raise
        except BaseException:
            # `shutdown` cancels queued videos only. Without terminating the processes, leaving the
            # `with` would wait for the videos in progress.
            pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.terminate()
            raise


def _in_order(
    pool: ProcessPoolExecutor, calls: Iterable[Callable[[], CroppedVideo]], workers: int
) -> Iterator[CroppedVideo]:
    """Yield results in the order of the calls, with only a few calls submitted ahead.

    `pool.map` would submit all calls at once. A million futures would fill the memory, and the
    caller could not know which videos were submitted when a process dies.
    """
    waiting: deque[Future[CroppedVideo]] = deque()
    for call in calls:
        waiting.append(pool.submit(call))
        if len(waiting) > _QUEUED * workers:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _start_worker() -> None:
    """Prepare a worker process."""
    # Ctrl-C reaches every process of the terminal; only the parent reacts, and ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)  # there is one worker per core already
    reuse_freed_memory()


class _TimeLimitedReplay(Replay):
    """A video that is read twice, with a limit of CPU time for the frames decoded in one go.

    `crop_videos` handles the end of a process that exceeds it.
    """

    def __iter__(self) -> Iterator[Frame]:
        for frame in super().__iter__():
            set_cpu_limit(FRAME_SECONDS)
            yield frame


def _crop(job: VideoToCrop, config: CropConfig, folder: Path) -> CroppedVideo:
    """Crop one video, or return the outcome of an earlier run with the same settings."""
    sidecar = folder / f"{file_stem(job.key)}.json"
    mark = fingerprint(config, job.path)
    earlier = read_cropped_video(sidecar)
    earlier_paths = _clip_paths(job, folder, len(earlier.clips) if earlier else 0)
    complete = all(path.is_file() for path in earlier_paths)
    if earlier and earlier.fingerprint == mark and complete:
        return earlier
    sidecar.unlink(missing_ok=True)  # the video's clips are incomplete from here on
    set_cpu_limit(FRAME_SECONDS)
    try:
        frames = _TimeLimitedReplay(job.path, stream=config.stream)
        clips = find_clips(job.path, config, _detector(config), frames=frames)
        paths = _clip_paths(job, folder, len(clips))
        outcome = CroppedVideo(mark, _write_clips(clips, frames, paths, quality=config.quality))
    except Reject as reject:
        outcome = CroppedVideo(mark, reject=str(reject))
    except FFmpegError as error:
        # Errors of reading raise Reject, so this error is one of writing. For some error numbers,
        # PyAV's error is not an OSError; it also cannot be pickled for the parent.
        raise OSError(error.errno, error.strerror, str(folder)) from None
    finally:
        set_cpu_limit(0)
    # Remove clips that only an earlier run had. Without clips, remove `<key>.mkv` in any case.
    for path in _clip_paths(job, folder, max(1, len(earlier_paths)))[len(outcome.clips) :]:
        path.unlink(missing_ok=True)
    write_cropped_video(sidecar, outcome)
    return outcome


def _clip_paths(job: VideoToCrop, folder: Path, count: int) -> list[Path]:
    """Return the paths of a video's first `count` clips."""
    return [folder / f"{file_stem(clip_key(job.key, number))}.mkv" for number in range(count)]


def _write_clips(
    clips: Sequence[FaceClip], frames: Iterable[Frame], paths: Sequence[Path], *, quality: int
) -> tuple[CroppedClip, ...]:
    """Write the clips of a video in one pass, each completely or not at all.

    All clips may be open at once. Each is closed after its last frame. If many people appear one
    after another, only the people on screen hold an open file.
    """
    unfinished = [path.with_name(path.name + ".partial") for path in paths]
    blurs: list[list[float]] = [[] for _ in clips]
    counts = [0] * len(clips)
    with ExitStack() as opened:
        writers: dict[int, FaceVideoWriter] = {}
        for number, picture in cut_clips(frames, clips):
            clip = clips[number]
            if number not in writers:
                writer = FaceVideoWriter(unfinished[number], fps=clip.fps, size=clip.size)
                writers[number] = opened.enter_context(closing(writer))
            if counts[number] % _BLUR_EVERY == 0 and not clip.is_blank(counts[number]):
                blurs[number].append(blur(picture))
            writers[number].add(encode_jpeg(picture, quality=quality))
            counts[number] += 1
            if counts[number] == len(clip):
                writers.pop(number).close()
    found = []
    for number, clip in enumerate(clips):
        quality_found = replace(clip.quality, blur=float(np.mean(blurs[number] or 0)))
        mark = checksum(unfinished[number].read_bytes())
        unfinished[number].replace(paths[number])
        found.append(CroppedClip(counts[number], clip.fps, clip.start, quality_found, mark))
    return tuple(found)
