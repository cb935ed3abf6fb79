"""Many videos to face clips, one video at a time in each of several processes.

What a video gives depends on nothing but the video and the settings, so the files are the same
whatever the number of processes. A video is finished when its record is written, and one that is
finished is left alone; an interrupted run loses the videos it was at, one for each process.
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
from svfap.faces.clips import FaceClip, cut_clips, plan_clips
from svfap.faces.cropped_video import (
    CroppedClip,
    CroppedVideo,
    clip_name,
    file_stem,
    fingerprint,
    read_cropped_video,
    write_cropped_video,
)
from svfap.faces.detectors.make import make_detector
from svfap.faces.quality import blur
from svfap.video.decode import Frame, Reject
from svfap.video.facevideo import FaceVideoWriter, encode_jpeg
from svfap.video.replay import Replay

_AHEAD = 4  # videos that wait for each process
_BLUR_EVERY = 10  # frames
_FRAME_SECONDS = 120.0  # of computing for one frame; none that ends comes near

_detector = cache(make_detector)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class VideoToCrop:
    """A video to crop, and the name of what is made of it."""

    key: str
    path: Path


def crop_videos(
    jobs: Sequence[VideoToCrop], config: CropConfig, *, folder: Path, workers: int
) -> Iterator[CroppedVideo]:
    """Crop videos, and yield their records in the order of the jobs.

    A video that brings down the process that reads it is tried once more, alone, and rejected if
    it does so again; the others are not harmed.

    Args:
        jobs: the videos.
        config: how to crop; its preset is set.
        folder: takes the clips and records.
        workers: processes.

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
                for record in _in_order(pool, calls, count):
                    left.popleft()
                    yield record
        except BrokenProcessPool:
            handed_out = min(len(left), _AHEAD * count + 1)
            yield from (_alone(left.popleft(), config, folder) for _ in range(handed_out))


def _alone(job: VideoToCrop, config: CropConfig, folder: Path) -> CroppedVideo:
    """The record of a video that is cropped while no other is; of a deadly one it is not kept."""
    try:
        with _pool(1) as pool:
            return pool.submit(_crop, job, config, folder).result()
    except BrokenProcessPool:
        logger.warning("%s: ended the process that cropped it, twice", job.path)
        reason = "crashes the decoder, keeps it from coming to an end, or needs too much memory"
        return CroppedVideo("", reject=reason)


@contextmanager
def _pool(count: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that end when an error, or an interrupt, leaves the block."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, mp_context=context, initializer=_prepare) as pool:
        try:
            yield pool
        except BrokenProcessPool:
            raise
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.terminate()
            raise


def _in_order(
    pool: ProcessPoolExecutor, calls: Iterable[Callable[[], CroppedVideo]], workers: int
) -> Iterator[CroppedVideo]:
    """Results in the order of the calls, of which few are handed out ahead."""
    waiting: deque[Future[CroppedVideo]] = deque()
    for call in calls:
        waiting.append(pool.submit(call))
        if len(waiting) > _AHEAD * workers:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _prepare() -> None:
    """One thread for each process; interrupts are left to the one that handed out the work."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)


class _Watched(Replay):
    """Reads a video twice; a frame that takes too long ends the process, by SIGPROF."""

    def __iter__(self) -> Iterator[Frame]:
        for frame in super().__iter__():
            _allow(_FRAME_SECONDS)
            yield frame


def _allow(seconds: float) -> None:
    """Let this process compute for so long; 0 for as long as it likes."""
    signal.setitimer(signal.ITIMER_PROF, seconds)


def _crop(job: VideoToCrop, config: CropConfig, folder: Path) -> CroppedVideo:
    """The record of one video, which is cropped unless it has been."""
    sidecar = folder / f"{file_stem(job.key)}.json"
    mark = fingerprint(config, job.path)
    before = read_cropped_video(sidecar)
    earlier = _paths(job, folder, len(before.clips) if before else 0)
    if before and before.fingerprint == mark and all(path.is_file() for path in earlier):
        return before
    sidecar.unlink(missing_ok=True)
    _allow(_FRAME_SECONDS)
    try:
        frames = _Watched(job.path)
        clips = plan_clips(job.path, config, _detector(config), frames=frames)
        made = _write(clips, frames, _paths(job, folder, len(clips)), quality=config.quality)
        record = CroppedVideo(mark, made)
    except Reject as reject:
        record = CroppedVideo(mark, reject=str(reject))
    except FFmpegError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from None
    finally:
        _allow(0)
    for path in _paths(job, folder, max(1, len(earlier)))[len(record.clips) :]:
        path.unlink(missing_ok=True)
    write_cropped_video(sidecar, record)
    return record


def _paths(job: VideoToCrop, folder: Path, count: int) -> list[Path]:
    """The files of a video's clips."""
    return [folder / f"{file_stem(clip_name(job.key, number))}.mkv" for number in range(count)]


def _write(
    clips: Sequence[FaceClip], video: Iterable[Frame], paths: Sequence[Path], *, quality: int
) -> tuple[CroppedClip, ...]:
    """Write the clips of a video, each whole or not at all."""
    unfinished = [path.with_name(path.name + ".partial") for path in paths]
    blurs: list[list[float]] = [[] for _ in clips]
    frames = [0] * len(clips)
    with ExitStack() as opened:
        writers: dict[int, FaceVideoWriter] = {}
        for number, image in cut_clips(video, clips):
            clip = clips[number]
            if number not in writers:
                writer = FaceVideoWriter(unfinished[number], fps=clip.fps, size=clip.size)
                writers[number] = opened.enter_context(closing(writer))
            if frames[number] % _BLUR_EVERY == 0:
                blurs[number].append(blur(image))
            writers[number].add(encode_jpeg(image, quality=quality))
            frames[number] += 1
            if frames[number] == len(clip):
                writers.pop(number).close()
    for source, path in zip(unfinished, paths, strict=True):
        source.replace(path)
    return tuple(
        CroppedClip(count, clip.fps, clip.start, replace(clip.quality, blur=float(np.mean(values))))
        for clip, count, values in zip(clips, frames, blurs, strict=True)
    )
