"""The outcome of cropping one video, kept as `faces/<key>.json` so that nothing is cropped twice.

The file is written after the clips: if it exists with the right fingerprint, the clips are
complete.
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from svfap.config import CropConfig
from svfap.datasets.raw_state import content_of, file_state
from svfap.replacing import replacing

# The version is part of every fingerprint. Raise it when a change of the code changes the pictures
# that the same settings give: every video is then cropped again.
_VERSION = 5
# No single clip depends on these settings of a whole part, so a change of one crops nothing again.
_SETTINGS_OF_THE_PART = {"max_rejects", "keep"}


@dataclass(frozen=True)
class Quality:
    """How well the face is seen in one clip.

    Attributes:
        detection_rate: share of the searched frames in which the face was found.
        score: mean confidence of the face's detections; 0 without detections.
        face_size: mean side of the face's box in pixels of the video.
        jitter: shaking of the crop in pixels of the clip, see `svfap.faces.quality.jitter`.
        raw_jitter: jitter before smoothing.
        blur: blur from 0 (sharp) to 1 (blurred), see `svfap.faces.quality.blur`.
        yaw: mean turn of the head to either side in degrees.
        pitch: mean lowering or raising of the head in degrees.
        roll: mean tilt of the head to either side in degrees, as seen in the video.
        coverage: share of the video's frames that the clip shows.
        cuts: number of scene cuts in the video.
        people: number of tracks in the video.
        missing: share of the video's declared frames that do not decode.
        faceless: share of the clip's frames without the face, see `crop.missing`.
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
    faceless: float = 0.0  # outcomes of earlier versions lack it


@dataclass(frozen=True)
class CroppedClip:
    """One face clip.

    Attributes:
        frames: number of frames.
        fps: frames per second.
        start: second of the video at which the clip starts.
        quality: how well the face is seen.
        checksum: of the clip's file, see `svfap.video.facevideo.checksum`; empty if unknown.
    """

    frames: int
    fps: float
    start: float
    quality: Quality
    checksum: str = ""


@dataclass(frozen=True)
class CroppedVideo:
    """The outcome for one video: its clips, or the reason why there are none.

    Attributes:
        fingerprint: hash of the settings and of the video, see `fingerprint`.
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
    """Return the unique file name of a key, which is the key itself if it is plain."""
    # `quote` leaves dots alone, and a leading dot would hide the file (or mean a folder: "..").
    stem = quote(key, safe="~")
    return "%2E" + stem[1:] if stem.startswith(".") else stem


def clip_settings(config: CropConfig) -> dict[str, Any]:
    """Return the settings that decide how a clip looks, ready for JSON."""
    # Clips of earlier versions, which had no key `missing`, keep their fingerprint.
    new = {"missing"} if config.missing == "reject" else set()
    return config.model_dump(mode="json", exclude=_SETTINGS_OF_THE_PART | new)


def fingerprint(config: CropConfig, video: Path) -> str:
    """Hash everything that decides how a clip looks: settings, size and date of the video.

    A change of what is hashed, or of its order, crops every clip of every user again.
    """
    # A missing video is rejected, and cropped once it exists. A kept place outlives the machine; on
    # the next one, the video has another date.
    source = content_of(video) if "SVFAP_STATE" in os.environ else file_state(video)
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
        # newline="" writes the same bytes on every system.
        partial.write_text(text, encoding="utf-8", newline="")
