"""Find the faces of a video: the windows to score, and the place of each face in every frame."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from svfap.config import CropConfig
from svfap.faces.clips import FaceClip, cut_clips
from svfap.faces.detectors.detector import Detector
from svfap.faces.find_clips import find_clips
from svfap.progress import track
from svfap.use.bundle import ModelFacts
from svfap.use.frame_array import FrameArray
from svfap.use.options import Options
from svfap.use.timeline import WindowSpan
from svfap.use.windows import Window, WindowGrid, gather_windows, place_windows
from svfap.video.decode import Reject, declared
from svfap.video.facevideo import encode_jpeg
from svfap.video.frame import Frame
from svfap.video.image import Image
from svfap.video.planes import Picture
from svfap.video.player import player_zero
from svfap.video.replay import Replay
from svfap.video.resize import resize
from svfap.video.timing import Times, complete_times


@dataclass(frozen=True)
class FaceInVideo:
    """A face, followed over some frames of a video.

    Attributes:
        clip: the place of the face in every frame.
        grid: the windows over these frames.
        number: number of the face, from 1.
    """

    clip: FaceClip
    grid: WindowGrid
    number: int = 1

    def sampled_clip(self) -> FaceClip:
        """Return the clip reduced to the frames that windows sample."""
        return self.clip.sampled(self.grid.sampled)

    def span(self, window: int) -> WindowSpan:
        """Return the seconds and the frames of the video that a window spans."""
        grid, clip = self.grid, self.clip
        place = grid.starts[window]
        first, after = int(grid.sampled[place]), place + grid.frames
        # A window ends where the next would begin, so that windows without overlap leave no gap.
        known = after < len(grid.sampled)
        end = grid.sampled[after] if known else round(first + grid.frames * grid.step)
        end = min(int(end), len(clip))
        last = int(clip.source[end - 1])
        return WindowSpan(
            self.number,
            clip.start + first / clip.fps,
            clip.start + end / clip.fps,
            int(clip.source[first]),
            max(last + 1, int(clip.source[end])) if end < len(clip) else last + 1,
        )


@dataclass(frozen=True)
class Footage:
    """A video and the faces followed in it.

    Attributes:
        path: the video; None if it is an array of frames.
        frames: frames of the video, which can be read several times.
        faces: faces of the video, in the order of their first frames.
        size: width and height of the first frame in pixels.
        times: second of the file at which each frame is shown, ascending.
    """

    path: Path | None
    frames: Replay | FrameArray
    faces: tuple[FaceInVideo, ...]
    size: tuple[int, int]
    times: Times

    def __len__(self) -> int:
        """Number of windows."""
        return sum(len(face.grid.starts) for face in self.faces)

    @property
    def fps(self) -> float:
        """Frames per second of all clips."""
        return self.faces[0].clip.fps

    @property
    def seconds(self) -> float:
        """Length of the video; the last frame is shown for one interval."""
        return float(self.times[-1] - self.times[0]) + 1 / self.fps

    @property
    def first_shown(self) -> float:
        """Second at which a video player shows the first frame: not 0 if sound starts before it."""
        shown = float(self.times[0])
        if self.path is None or self.path.is_dir():
            return shown
        return shown + player_zero(self.path, self.frames.stream)

    def windows(self, *, quality: int, size: int) -> Iterator[Window]:
        """Yield all windows; `Window.clip` is an index of `faces`.

        Args:
            quality: JPEG quality of the training clips.
            size: side of the model's frames in pixels.
        """
        pictures = (
            (index, like_training_frame(picture, quality=quality, size=size))
            for index, picture in cut_clips(
                self.frames, [face.sampled_clip() for face in self.faces]
            )
        )
        return gather_windows(pictures, [face.grid for face in self.faces])


def find_faces(
    video: Path | FrameArray,
    facts: ModelFacts,
    options: Options,
    *,
    config: CropConfig,
    detector: Detector,
    show_progress: bool = False,
) -> Footage:
    """Find and follow the faces of a video, and place windows over them.

    Args:
        video: the video, or its frames.
        facts: the model's sizes and preprocessing.
        options: which faces to score, and how far apart windows are.
        config: how to crop, see `crop_settings`.
        detector: the detector that finds and follows faces.
        show_progress: whether to show a progress line.

    Raises:
        Reject: the video cannot be read, shows no face, or is shorter than a window.
    """
    path = video if isinstance(video, Path) else None
    frames = Replay(video, stream=config.stream) if isinstance(video, Path) else video
    frames_to_read: Iterable[Frame] = frames
    if show_progress:
        total = declared(video, config.stream).frames if isinstance(video, Path) else len(video)
        frames_to_read = track(frames, total=total, label=f"{video.name}: faces", unit="frame")
    measured = _MeasuredFrames(frames_to_read)
    clips = find_clips(path or Path(video.name), config, detector, frames=measured)
    found = [FaceInVideo(clip, _grid(clip, facts, options)) for clip in clips]
    faces = [face for face in found if options.pad or not face.grid.padded]
    if not faces:
        raise Reject(_too_short(clips, facts))
    if options.speaker == "main":
        faces = _main_faces(faces)  # all faces keep the number 1, since they share one timeline
    else:
        faces = [replace(face, number=number) for number, face in enumerate(faces, 1)]
    return Footage(path, frames, tuple(faces), measured.size, measured.times())


class _MeasuredFrames:
    """Frames of a video, measured while another function reads them.

    Attributes:
        size: width and height of the first frame in pixels.
    """

    def __init__(self, frames: Iterable[Frame]) -> None:
        self._frames = frames
        self._seconds: list[float | None] = []
        self.size, self._fps = (0, 0), 0.0

    def __iter__(self) -> Iterator[Frame]:
        for frame in self._frames:
            if not self._seconds:
                self.size, self._fps = frame.size, frame.video.fps
            self._seconds.append(frame.seconds)
            yield frame

    def times(self) -> Times:
        """Return the second of the file at which each frame is shown."""
        return complete_times(self._seconds, self._fps)


def _step(clip: FaceClip, facts: ModelFacts) -> float:
    """Return the step in frames of the clip; it spans the same time as the step of training."""
    return max(1.0, facts.stride * clip.fps / (facts.fps or clip.fps))


def _window(clip: FaceClip, facts: ModelFacts) -> float:
    """Return the seconds that a window spans: to where the next begins without overlap."""
    return _step(clip, facts) * facts.job.model.num_frames / clip.fps


def _grid(clip: FaceClip, facts: ModelFacts, options: Options) -> WindowGrid:
    frames, step = facts.job.model.num_frames, _step(clip, facts)
    hop = options.hop_of(_window(clip, facts)) * clip.fps
    return place_windows(len(clip), frames=frames, step=step, hop=hop)


def _too_short(clips: Sequence[FaceClip], facts: ModelFacts) -> str:
    longest = max(clips, key=lambda clip: len(clip) / clip.fps)
    return (
        f"a face is seen for {len(longest) / longest.fps:.2f} s, a window takes"
        f" {_window(longest, facts):.2f} s;"
        " give a longer video, or --pad (pad=True) to repeat its last frame as testing does"
    )


def _main_faces(faces: Sequence[FaceInVideo]) -> list[FaceInVideo]:
    """Choose the main face of each moment: the heaviest clips that do not overlap in time."""
    chosen: list[FaceInVideo] = []
    for face in sorted(faces, key=lambda face: _weight(face.clip), reverse=True):
        first, last = face.clip.source[0], face.clip.source[-1]
        others = [other.clip.source for other in chosen]
        if all(last < other[0] or first > other[-1] for other in others):
            chosen.append(face)
    return sorted(chosen, key=lambda face: face.clip.start)


def _weight(clip: FaceClip) -> float:
    """Return the sum of size times centrality over a clip, as `faces.track.weight` for a track."""
    # Two edges start at the first of the three corners, and the product of their lengths is the
    # size. The larger component of an edge serves as its length.
    edges = np.abs(clip.corners[:, 1:] - clip.corners[:, :1]).max(axis=2).prod(axis=1)
    # The other two corners are opposite, so the centre of the square lies between them.
    centres = clip.corners[:, 1:].mean(axis=1)
    # The distance from the picture's middle is 0 in the middle and 1 in the corners.
    off = np.linalg.norm(centres - 0.5, axis=1) / np.hypot(0.5, 0.5)
    return float((edges * np.maximum(0.0, 1 - off)).sum())


def like_training_frame(picture: Picture, *, quality: int, size: int) -> Image:
    """Convert a picture to what training reads from a shard: RGB, scaled, with JPEG's losses.

    Training clips passed through JPEG, so scores of uncompressed pictures would differ slightly.
    """
    data = np.frombuffer(encode_jpeg(picture, quality=quality), np.uint8)
    rgb = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB), dtype=np.uint8)
    scaled: Image = resize(rgb[None], size)[0]
    return scaled
