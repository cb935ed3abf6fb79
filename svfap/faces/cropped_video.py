"""The outcome of cropping one video, kept as `faces/<key>.json` so that nothing is cropped twice.

The file is written after the clips: if it exists and its fingerprint is right, they are complete.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from svfap.config import CropConfig
from svfap.replacing import replacing

# Part of every fingerprint. Raise it when a change of the code makes the same settings give other
# pictures than before: then every video is cropped again.
_VERSION = 3
# Settings of the whole part, which no single clip depends on. Changing one crops nothing again.
_SETTINGS_OF_THE_PART = {"max_rejects"}


@dataclass(frozen=True)
class Quality:
    """How well the face is seen in one clip.

    Attributes:
        detection_rate: share of the looks in which the face was found.
        score: mean confidence of its detections; 0 without any.
        face_size: mean side of the face's box in pixels of the video.
        jitter: shaking of the crop in pixels of the clip, see `svfap.faces.quality.jitter`.
        raw_jitter: the same before smoothing.
        blur: 0 sharp to 1 blurred, see `svfap.faces.quality.blur`.
        yaw: mean turn to either side in degrees.
        pitch: mean lowering or raising in degrees.
        roll: mean tilt to either side in degrees, as seen in the video.
        coverage: share of the video's frames that the clip shows.
        cuts: scene cuts in the video.
        people: tracks in the video.
        missing: share of the video's declared frames that do not decode.
    """

    detection_rate: float
    score: float
    face_size: float
    jitter: float
    raw_jitter: float
    blur: float
    yaw: float
    pitch: float
    roll: float
    coverage: float
    cuts: int
    people: int
    missing: float


@dataclass(frozen=True)
class CroppedClip:
    """One face clip.

    Attributes:
        frames: number of frames.
        fps: frames per second.
        start: second of the video at which it starts.
        quality: how well the face is seen.
    """

    frames: int
    fps: float
    start: float
    quality: Quality


@dataclass(frozen=True)
class CroppedVideo:
    """The outcome for one video: its clips, or the reason why there are none.

    Attributes:
        fingerprint: of the settings and of the video, see `fingerprint`.
        clips: the face clips.
        reject: the reason of the rejection; empty if the video was not rejected.
    """

    fingerprint: str
    clips: tuple[CroppedClip, ...] = ()
    reject: str = ""


def clip_key(video_key: str, number: int) -> str:
    """Return the key of a video's n-th clip, counted from 0; the first has the video's own key."""
    return f"{video_key}~{number + 1}" if number else video_key


def file_stem(key: str) -> str:
    """Return a file name for a key: the key itself if it is plain, and no two keys share one."""
    # `quote` leaves dots alone, and a leading one would hide the file (or mean a folder: "..").
    stem = quote(key, safe="~")
    return "%2E" + stem[1:] if stem.startswith(".") else stem


def clip_settings(config: CropConfig) -> dict[str, Any]:
    """Return the settings that decide how a clip looks, ready for JSON."""
    return config.model_dump(mode="json", exclude=_SETTINGS_OF_THE_PART)


def fingerprint(config: CropConfig, video: Path) -> str:
    """Hash everything that decides how a clip looks: settings, size and date of the video.

    Changing what is hashed, or its order, crops every clip of every user again.
    """
    try:
        status = video.stat()
        source = [status.st_size, status.st_mtime_ns]
    except OSError:
        source = []  # a missing video is rejected, and cropped once it exists
    text = json.dumps([_VERSION, clip_settings(config), source], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def read_cropped_video(path: Path) -> CroppedVideo | None:
    """Read an outcome; return None if the file is missing, damaged or of another version."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        clips = [
            CroppedClip(**clip | {"quality": Quality(**clip["quality"])})
            for clip in values.pop("clips")
        ]
        return CroppedVideo(**values, clips=tuple(clips))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def write_cropped_video(path: Path, video: CroppedVideo) -> None:
    """Write an outcome, completely or not at all."""
    write_text(path, json.dumps(asdict(video), indent=1) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file, completely or not at all."""
    with replacing(path) as partial:
        # newline="": the same bytes on every system.
        partial.write_text(text, encoding="utf-8", newline="")
