"""One video to its face clips: search it, choose tracks, place windows, then cut them out.

Two passes over the video, each a frame at a time: the first looks for faces in shrunk frames, the
second cuts all clips. Between them stand a few numbers per frame.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import numpy as np

from svfap.config import CropConfig
from svfap.faces import presets
from svfap.faces.align import cut_out
from svfap.faces.detectors.detector import Detector, Floats
from svfap.faces.quality import Quality, describe, shaking
from svfap.faces.search import Search, Shot, search
from svfap.faces.track import Track, choose, link
from svfap.video.decode import Frame, Image, Reject, read_frames
from svfap.video.timing import Numbers, Timing, on_grid

FIXED = ("voxceleb2", "frames")
_GLANCE = 25  # frames between looks at videos whose crop does not depend on faces
_SPARE = 2  # pixels of a shrunk frame for each of the clip


@dataclass(frozen=True)
class FaceClip:
    """A face clip that is about to be cut out.

    Attributes:
        fps: frames per second.
        size: side in pixels.
        start: second of the video at which it begins.
        source: number of the video's frame that each of its frames is taken from, ascending.
        corners: of its window in that frame, as shares of the frame's width and height; shape
            (frames, 3, 2).
        quality: how well the face is seen; its blur is known when the clip is cut.
    """

    fps: float
    size: int
    start: float
    source: Numbers
    corners: Floats
    quality: Quality

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.source)


@dataclass(frozen=True)
class _Span:
    """A track and the frames that it stands for, from `first` up to `end`."""

    track: Track
    first: int
    end: int
    rate: float


def plan_clips(
    path: Path, config: CropConfig, detector: Detector, *, frames: Iterable[Frame] | None = None
) -> list[FaceClip]:
    """Find the faces of a video and the windows that follow them.

    Args:
        path: the video.
        config: how to detect, align and smooth; its preset is set.
        detector: finds and follows faces.
        frames: the video's frames, if they are at hand; None: they are read.

    Returns:
        The clips in the order in which they begin; one, unless `config.speaker` is "all".

    Raises:
        Reject: the video cannot be read, is too short, or does not show a face well enough.
    """
    fixed = config.preset in FIXED
    every = max(config.every, _GLANCE) if fixed else config.every
    found = search(
        path, frames or read_frames(path), detector, every=every, max_side=config.max_side
    )
    timing = on_grid(found.times, fps=found.fps, target=config.fps)
    if len(timing.source) < config.min_frames:
        raise Reject(_too_short(len(timing.source), config))
    if fixed:
        return [_whole(found, timing, config)]
    if not found.steady:
        raise Reject("its frames change their proportions; convert it first")
    spans = [span for shot in found.shots for span in _spans(shot, found.fps, config)]
    good = [span for span in spans if not _flaw(span, timing, config)]
    if not good:
        raise Reject(_flaw(_best(spans, found), timing, config) if spans else "no face found")
    frame = {"width": found.width, "height": found.height}
    chosen = choose([span.track for span in good], config.speaker, **frame)
    return [
        _followed(span, found, timing, config, people=len(spans))
        for span in good
        if any(span.track is track for track in chosen)
    ]


def cut_clips(frames: Iterable[Frame], clips: Sequence[FaceClip]) -> Iterator[tuple[int, Image]]:
    """Cut all clips out of a video's frames in one pass.

    Yields:
        The number of a clip and its next picture, BGR, shape (size, size, 3).
    """
    last = max(int(clip.source[-1]) for clip in clips)
    resolution = cache(partial(_resolution, clips=clips))
    for number, frame in enumerate(frames):
        places = [np.searchsorted(clip.source, [number, number + 1]) for clip in clips]
        wanted = [(index, place) for index, place in enumerate(places) if place[0] < place[1]]
        if wanted:
            image = frame.bgr(resolution(frame.size))
            scale = image.shape[1::-1]
            for index, (place, end) in wanted:
                clip = clips[index]
                picture = cut_out(image, clip.corners[place] * scale, size=clip.size)
                yield from ((index, picture) for _ in range(place, end))
        if number == last:
            return


def _resolution(size: tuple[int, int], *, clips: Sequence[FaceClip]) -> int | None:
    """The longest side that large frames are shrunk to; None: as they are."""
    needed = 0.0
    for clip in clips:
        edges = (clip.corners[:, 1:] - clip.corners[:, :1]) * size
        needed = max(needed, _SPARE * clip.size / float(np.linalg.norm(edges, axis=2).min()))
    return round(max(size) * needed) if needed < 0.5 else None


def _spans(shot: Shot, fps: float, config: CropConfig) -> Iterator[_Span]:
    """The tracks of a shot, each with the frames around it in which it was not looked for."""
    for track in link(shot.looks, fps=fps, max_gap=config.max_gap):
        first = max(shot.start, track.frames[0] - config.every + 1)
        end = min(shot.end, track.frames[-1] + config.every)
        looks = sum(first <= number < end for number, _ in shot.looks)
        yield _Span(track, first, end, len(track.frames) / looks)


def _flaw(span: _Span, timing: Timing, config: CropConfig) -> str:
    """Why no clip can be made of a track; empty if one can."""
    length = len(_kept(timing, span.first, span.end))
    if length < config.min_frames:
        return _too_short(length, config)
    if span.rate < config.min_rate:
        return (
            f"face found in {span.rate:.0%} of the looks, at least {config.min_rate:.0%} needed "
            "(crop.min_rate)"
        )
    return ""


def _too_short(frames: int, config: CropConfig) -> str:
    return f"{frames} frames, at least {config.min_frames} needed (crop.min_frames)"


def _best(spans: Sequence[_Span], found: Search) -> _Span:
    """The track that would be chosen."""
    tracks = [span.track for span in spans]
    (best,) = choose(tracks, "main", width=found.width, height=found.height)
    return next(span for span in spans if span.track is best)


def _kept(timing: Timing, first: int, end: int) -> Numbers:
    """The frames of a clip, as numbers of frames of the video."""
    start, stop = np.searchsorted(timing.source, [first, end])
    return timing.source[start:stop]


def _followed(
    span: _Span, found: Search, timing: Timing, config: CropConfig, *, people: int
) -> FaceClip:
    """The clip of one track."""
    source = _kept(timing, span.first, span.end)
    radius = round(config.smoothing * timing.fps / 2)
    aligned, shaken = (windows_of(span.track, source, config, radius=r) for r in (radius, 0))
    clip = _clip(span.track, aligned, source, found, timing, config)
    quality = replace(
        clip.quality,
        detection_rate=span.rate,
        jitter=shaking(aligned, size=config.size),
        raw_jitter=shaking(shaken, size=config.size),
        people=people,
    )
    return replace(clip, quality=quality)


def windows_of(track: Track, source: Numbers, config: CropConfig, *, radius: int) -> Floats:
    """Corners (frames, 3, 2) of the windows around a face, by a preset that follows faces."""
    if config.preset == "openface":
        return presets.openface(track, source, radius=radius)
    return presets.auto(track, source, margin=config.margin, radius=radius)


def _whole(found: Search, timing: Timing, config: CropConfig) -> FaceClip:
    """The clip of a video that is cropped without regard to faces."""
    preset = presets.voxceleb2 if config.preset == "voxceleb2" else presets.frames
    corners = preset(found.width, found.height, timing.source)
    looks = [look for shot in found.shots for look in shot.looks]
    tracks = link(looks, fps=found.fps, max_gap=float("inf"))
    (track,) = choose(tracks, "main", width=found.width, height=found.height) or [Track()]
    clip = _clip(track, corners, timing.source, found, timing, config)
    rate = len(track.frames) / len(looks)
    return replace(clip, quality=replace(clip.quality, detection_rate=rate, people=len(tracks)))


def _clip(
    track: Track,
    corners: Floats,
    source: Numbers,
    found: Search,
    timing: Timing,
    config: CropConfig,
) -> FaceClip:
    """A clip with what is known of it whatever the preset."""
    quality = Quality(
        detection_rate=0.0, jitter=0.0, raw_jitter=0.0, blur=0.0,
        coverage=len(source) / len(timing.source),
        cuts=len(found.shots) - 1, people=0, missing=found.missing,
        **describe(track.faces),
    )  # fmt: skip
    start = (found.times[source[0]] or 0.0) - (found.times[0] or 0.0)
    shares = corners / [found.width, found.height]
    return FaceClip(timing.fps, config.size, start, source, shares, quality)
