"""What is written down beside each face clip, so that nothing is cropped twice.

The record is written last: where it exists and its fingerprint is right, the clip is complete.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

from svfap.config import CropConfig
from svfap.faces.cropping import Quality

# Part of every fingerprint; to be raised when the same settings give other pictures than before.
_VERSION = 1
_NOT_OF_ONE_CLIP = {"max_rejects"}


@dataclass(frozen=True)
class Record:
    """The outcome for one video: a clip and its quality, or the reason why there is none.

    Attributes:
        fingerprint: of the settings and of the video, see `fingerprint`.
        frames: number of frames of the clip.
        fps: its frames per second.
        quality: how well the face was seen; None if the video was rejected.
        reject: the reason of the rejection; empty if there is none.
    """

    fingerprint: str
    frames: int = 0
    fps: float = 0.0
    quality: Quality | None = None
    reject: str = ""


def file_stem(key: str) -> str:
    """A file name for a key: the key itself if it is plain, and different for different keys."""
    stem = quote(key, safe="")
    return "%2E" + stem[1:] if stem.startswith(".") else stem


def fingerprint(config: CropConfig, video: Path) -> str:
    """A hash of all that decides how a clip looks: settings, size and date of the video."""
    try:
        status = video.stat()
        source = [status.st_size, status.st_mtime_ns]
    except OSError:
        source = []
    settings = config.model_dump(mode="json", exclude=_NOT_OF_ONE_CLIP)
    text = json.dumps([_VERSION, settings, source], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def read_record(path: Path) -> Record | None:
    """The record in a file; None if there is none that can be read."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        quality = values.pop("quality")
        return Record(**values, quality=Quality(**quality) if quality else None)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def write_record(path: Path, record: Record) -> None:
    """Write a record, whole or not at all."""
    write_text(path, json.dumps(asdict(record), indent=1) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8", newline="")
    partial.replace(path)
