"""Where the CPU time of cropping goes: the parts of it, and the stage with its processes."""

import resource
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import median

import av

from svfap.config import CropConfig
from svfap.faces.clips import cut_clips
from svfap.faces.crop_videos import VideoToCrop, crop_videos
from svfap.faces.detectors.detector import Detector, Face
from svfap.faces.find_clips import find_clips
from svfap.video.facevideo import encode_jpeg
from svfap.video.image import Image
from svfap.video.replay import Replay

MANY = 4  # further videos in the longer of two stages, whose difference is the cost of a video


def decode(video: Path) -> int:
    """Decode a video by PyAV alone, in one thread; return the number of frames.

    No way of cropping that reads all frames takes less, so this is the floor.
    """
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        return sum(1 for _ in container.decode(stream))


class TimedDetector:
    """A detector whose CPU time is measured.

    Attributes:
        seconds: CPU seconds of all calls so far.
    """

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self.seconds = 0.0

    def detect(self, image: Image) -> list[Face]:
        """Return the faces in a BGR image."""
        with self._timed():
            return self._detector.detect(image)

    def glance(self, image: Image) -> list[Face]:
        """Return the faces in a BGR image, with less exact points."""
        with self._timed():
            return self._detector.glance(image)

    def follow(self, image: Image, face: Face) -> Face | None:
        """Return a known face in a later BGR image."""
        with self._timed():
            return self._detector.follow(image, face)

    @contextmanager
    def _timed(self) -> Iterator[None]:
        start = time.process_time()
        yield
        self.seconds += time.process_time() - start


def parts(video: Path, config: CropConfig, detector: Detector, *, rounds: int) -> dict[str, float]:
    """Return the median CPU seconds of each part of cropping a video.

    All frames are decoded before the search begins. The rest of the search finds cuts and converts
    the frames to search.
    """
    taken: dict[str, list[float]] = defaultdict(list)
    for _ in range(rounds + 1):
        timed = TimedDetector(detector)
        frames = Replay(video)
        times = [time.process_time()]
        for _ in frames:
            pass
        times.append(time.process_time())
        clips = find_clips(video, config, timed, frames=frames)
        times.append(time.process_time())
        crops = [picture for _, picture in cut_clips(frames, clips)]
        times.append(time.process_time())
        for picture in crops:
            encode_jpeg(picture, quality=config.quality)
        times.append(time.process_time())
        read, search, cut, encode = (end - start for start, end in pairwise(times))
        found = {"decode": read, "detect": timed.seconds, "rest of search": search - timed.seconds}
        for name, seconds in (found | {"cut": cut, "encode": encode}).items():
            taken[name].append(seconds)
    return {name: median(seconds[1:]) for name, seconds in taken.items()}  # the first warms up


def stage(video: Path, config: CropConfig) -> dict[str, float]:
    """Return the CPU seconds of cropping in a process of its own: to start it, and for a video.

    The process decodes, crops, and writes clips and outcomes, as in the stage `crop`.
    """
    one, many = (_children(video, config, count) for count in (1, 1 + MANY))
    each = (many - one) / MANY
    return {"process": one - each, "video": each}


def _children(video: Path, config: CropConfig, count: int) -> float:
    """Return the CPU seconds of a process that crops copies of a video."""
    before = _ended_children()
    with tempfile.TemporaryDirectory() as folder:
        jobs = [VideoToCrop(f"{number}", video) for number in range(count)]
        for outcome in crop_videos(jobs, config, folder=Path(folder), workers=1):
            assert outcome.clips, outcome.reject
    return _ended_children() - before


def _ended_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
