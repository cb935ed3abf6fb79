"""Find the face clips of one video: search it, choose tracks, and place squares around the faces.

This is the first of two passes over the video. It reads a frame at a time, looks for faces in
shrunk frames, and keeps only a few numbers per frame. `svfap.faces.clips` then cuts the clips out.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from svfap.config import FIXED_PRESETS, CropConfig
from svfap.faces import presets
from svfap.faces.clips import FaceClip
from svfap.faces.cropped_video import Quality
from svfap.faces.detectors.detector import Detector, Floats
from svfap.faces.fill import hold
from svfap.faces.quality import describe_faces, jitter
from svfap.faces.search import SearchResult, Shot, search
from svfap.faces.track import Speaker, Track, choose, link, main_at_each_time
from svfap.video.decode import Reject, read_frames
from svfap.video.frame import Frame
from svfap.video.sampling import Indices
from svfap.video.timing import Timing, on_grid

# With a fixed preset, faces are needed only for the figures of `Quality`, so a few coarse looks are
# enough.
_FIXED_EVERY = 25  # frames between two looks, a second at 25 fps
_FIXED_MAX_SIDE = 128  # longest side of a searched frame; publishers' crops show large faces


@dataclass(frozen=True)
class _Video:
    """The facts about a video after the first pass."""

    found: SearchResult
    timing: Timing
    config: CropConfig

    def choose_tracks(self, tracks: Sequence[Track], speaker: Speaker) -> list[Track]:
        """Return the tracks that become clips, see `svfap.faces.track.choose`."""
        return choose(tracks, speaker, width=self.found.width, height=self.found.height)

    def choose_main(self, tracks: Sequence[Track]) -> Track:
        """Return the one main or largest track."""
        (track,) = self.choose_tracks(tracks, self.config.speaker)
        return track

    def source(self, first: int, end: int) -> Indices:
        """Return the frames of a clip that shows the video's frames from `first` up to `end`."""
        start, stop = np.searchsorted(self.timing.source, [first, end])
        return self.timing.source[start:stop]


@dataclass(frozen=True)
class _Candidate:
    """A track, the frames from `first` up to `end` that its clip would show, and its quality."""

    track: Track
    first: int
    end: int
    detection_rate: float


def find_clips(
    path: Path, config: CropConfig, detector: Detector, *, frames: Iterable[Frame] | None = None
) -> list[FaceClip]:
    """Find the faces of a video and the squares that follow them.

    Args:
        path: the video.
        config: how to detect, align and smooth; its preset must not be None.
        detector: the detector that finds and follows faces.
        frames: the video's frames; None reads them from `path`.

    Returns:
        The clips in the order in which they start; only one clip, unless `config.speaker` is "all".

    Raises:
        Reject: the video cannot be read, is too short, or does not show a face well enough.
    """
    fixed = config.preset in FIXED_PRESETS
    found = search(
        frames or read_frames(path, config.stream),
        detector,
        every=max(config.every, _FIXED_EVERY) if fixed else config.every,
        max_side=min(config.max_side, _FIXED_MAX_SIDE) if fixed else config.max_side,
        follow=not fixed,
    )
    timing = on_grid(found.times, fps=found.fps, target=config.fps)
    if len(timing.source) < config.min_frames:
        raise Reject(_too_short(len(timing.source), config))
    video = _Video(found, timing, config)
    if fixed:
        return [_fixed_clip(video)]
    if not found.steady:
        raise Reject("its frames change their proportions; convert it first")
    candidates = [
        candidate for shot in found.shots for candidate in _candidates(shot, found.fps, config)
    ]
    if config.missing != "reject":
        return [_whole_clip(video, candidates)]
    return _followed_clips(video, candidates)


def face_corners(track: Track, source: Indices, config: CropConfig, *, radius: int) -> Floats:
    """Return the corners (frames, 3, 2) of the squares around a face, by a preset that follows it.

    Args:
        track: the face.
        source: numbers of the frames.
        config: the settings, including preset and margin.
        radius: number of frames on either side to smooth over.
    """
    if config.preset == "openface":
        return presets.openface(track, source, radius=radius)
    return presets.auto(track, source, margin=config.margin, radius=radius)


def _candidates(shot: Shot, fps: float, config: CropConfig) -> Iterator[_Candidate]:
    """Yield the tracks of a shot.

    The face was not found in the look before a track and in the look after it. Each track is
    extended over the frames between these two looks, in which no detection ran.
    """
    for track in link(shot.looks, fps=fps, max_gap=config.max_gap):
        first = max(shot.start, track.frames[0] - config.every + 1)
        end = min(shot.end, track.frames[-1] + config.every)
        looks = sum(first <= look.frame < end for look in shot.looks)
        yield _Candidate(track, first, end, len(track.frames) / looks)


def _followed_clips(video: _Video, candidates: Sequence[_Candidate]) -> list[FaceClip]:
    """Return the clips of the chosen tracks.

    Raises:
        Reject: there is no track, or none is good enough; the reason given is the main track's.
    """
    if not candidates:
        raise Reject("no face found")
    good = [candidate for candidate in candidates if not _reject_reason(candidate, video)]
    if not good:
        (main,) = video.choose_tracks([candidate.track for candidate in candidates], "main")
        raise Reject(next(_reject_reason(one, video) for one in candidates if one.track is main))
    chosen = video.choose_tracks([candidate.track for candidate in good], video.config.speaker)
    return [
        _followed_clip(candidate, video, people=len(candidates))
        for candidate in good
        if any(candidate.track is track for track in chosen)
    ]


def _whole_clip(video: _Video, candidates: Sequence[_Candidate]) -> FaceClip:
    """Return a clip of all frames, whether or not they show the face that is followed.

    Raises:
        Reject: no track is good enough, so that no square can be held.
    """
    found, source, blank = video.found, video.timing.source, video.config.missing == "blank"
    good = [candidate for candidate in candidates if not _reject_reason(candidate, video)]
    tracks = main_at_each_time([candidate.track for candidate in good], video.choose_main)
    chosen = [one for one in good if any(one.track is track for track in tracks)]
    if chosen or not blank:
        # Without a good track, `_followed_clips` raises the reason.
        clips = [_followed_clip(one, video, people=len(candidates)) for one in chosen]
        clips = clips or _followed_clips(video, candidates)
        clip = max(clips, key=len)  # its jitter and pose are the whole clip's
        stretches = [(int(np.searchsorted(source, c.source[0])), c.corners) for c in clips]
        corners, seen = hold(stretches, len(source))
        clip = replace(clip, start=0.0, source=source, corners=corners)
    else:
        clip = _clip(Track(), presets.frames(found.width, found.height, source), source, video)
        seen = np.zeros(len(source), bool)
    quality = replace(
        clip.quality,
        coverage=1.0,
        detection_rate=sum(len(one.track.frames) for one in chosen) / found.looks,
        faceless=1 - float(seen.mean()),
    )
    return replace(clip, quality=quality, blank=~seen if blank else None)


def _reject_reason(candidate: _Candidate, video: _Video) -> str:
    """Return why a track cannot become a clip; an empty text if it can."""
    length, config = len(video.source(candidate.first, candidate.end)), video.config
    if length < config.min_frames:
        return _too_short(length, config)
    if candidate.detection_rate < config.min_rate:
        return (
            f"face found in {candidate.detection_rate:.0%} of the looks, at least"
            f" {config.min_rate:.0%} needed (crop.min_rate)"
        )
    return ""


def _too_short(frames: int, config: CropConfig) -> str:
    return f"{frames} frames, at least {config.min_frames} needed (crop.min_frames)"


def _followed_clip(candidate: _Candidate, video: _Video, *, people: int) -> FaceClip:
    """Return the clip of one track."""
    config = video.config
    source = video.source(candidate.first, candidate.end)
    radius = round(config.smoothing * video.timing.fps / 2)
    smoothed, raw = (face_corners(candidate.track, source, config, radius=r) for r in (radius, 0))
    clip = _clip(candidate.track, smoothed, source, video)
    quality = replace(
        clip.quality,
        detection_rate=candidate.detection_rate,
        jitter=jitter(smoothed, size=config.size),
        raw_jitter=jitter(raw, size=config.size),
        people=people,
    )
    return replace(clip, quality=quality)


def _fixed_clip(video: _Video) -> FaceClip:
    """Return the clip of the whole video by a preset that does not follow the face."""
    found, source = video.found, video.timing.source
    preset = presets.voxceleb2 if video.config.preset == "voxceleb2" else presets.frames
    corners = preset(found.width, found.height, source)
    looks = [look for shot in found.shots for look in shot.looks]
    tracks = link(looks, fps=found.fps, max_gap=float("inf"))
    (track,) = video.choose_tracks(tracks, "main") or [Track()]
    clip = _clip(track, corners, source, video)
    rate = len(track.frames) / len(looks)
    return replace(clip, quality=replace(clip.quality, detection_rate=rate, people=len(tracks)))


def _clip(track: Track, corners: Floats, source: Indices, video: _Video) -> FaceClip:
    """Return a clip with the figures that do not depend on the preset; the others are 0."""
    found, timing = video.found, video.timing
    quality = Quality(
        detection_rate=0.0,
        jitter=0.0,
        raw_jitter=0.0,
        blur=0.0,
        coverage=len(source) / len(timing.source),
        cuts=len(found.shots) - 1,
        people=0,
        missing=found.missing,
        **describe_faces(track.faces),
    )
    start = float(np.searchsorted(timing.source, source[0])) / timing.fps
    shares = corners / [found.width, found.height]
    return FaceClip(timing.fps, video.config.size, start, source, shares, quality)
