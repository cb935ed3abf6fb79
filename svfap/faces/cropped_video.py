"""What is written down of each video, so that nothing is cropped twice.

The record is written last: where it exists and its fingerprint is right, its clips are complete.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

from svfap.config import CropConfig
from svfap.faces.quality import Quality
from svfap.replacing import replacing

# Part of every fingerprint; to be raised when the same settings give other pictures than before.
_VERSION = 3
NOT_OF_ONE_CLIP = {"max_rejects"}


@dataclass(frozen=True)
class CroppedClip:
    """One face clip.

    Attributes:
        frames: number of frames.
        fps: frames per second.
        start: second of the video at which it begins.
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
        reject: the reason of the rejection; empty if there is none.
    """

    fingerprint: str
    clips: tuple[CroppedClip, ...] = ()
    reject: str = ""


def clip_name(key: str, number: int) -> str:
    """The key of a video's n-th clip, counted from 0: the video's own for the first."""
    return f"{key}~{number + 1}" if number else key


def file_stem(key: str) -> str:
    """A file name for a key: the key itself if it is plain, and different for different keys."""
    stem = quote(key, safe="~")
    return "%2E" + stem[1:] if stem.startswith(".") else stem


def fingerprint(config: CropConfig, video: Path) -> str:
    """A hash of all that decides how a clip looks: settings, size and date of the video."""
    try:
        status = video.stat()
        source = [status.st_size, status.st_mtime_ns]
    except OSError:
        source = []
    settings = config.model_dump(mode="json", exclude=NOT_OF_ONE_CLIP)
    text = json.dumps([_VERSION, settings, source], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def read_cropped_video(path: Path) -> CroppedVideo | None:
    """The record in a file; None if there is none that can be read."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        clips = [
            CroppedClip(**clip | {"quality": Quality(**clip["quality"])})
            for clip in values.pop("clips")
        ]
        return CroppedVideo(**values, clips=tuple(clips))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def write_cropped_video(path: Path, record: CroppedVideo) -> None:
    """Write a record, whole or not at all."""
    write_text(path, json.dumps(asdict(record), indent=1) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="")
