"""What a user chooses: which videos, and how they are looked at."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from svfap.config import CropConfig, Preset
from svfap.config.yaml_file import parse
from svfap.datasets.local_copy import VIDEO_SUFFIXES
from svfap.errors import SvfapError
from svfap.faces.find_clips import FIXED_PRESETS
from svfap.use.bundle import Facts

logger = logging.getLogger(__name__)

_PICTURES = frozenset({".jpg", ".jpeg", ".png"})


@dataclass(frozen=True)
class Options:
    """How videos are looked at.

    Attributes:
        hop: seconds from one window to the next; None: half a window.
        speaker: the main face of each moment, or all of them.
        preset: how faces are cropped; None: as the training clips were.
        pad: repeat the last frame of what is shorter than a window, as testing does.
        batch_size: windows that are scored at a time.

    Raises:
        SvfapError: a number is not above 0.
    """

    hop: float | None = None
    speaker: Literal["main", "all"] = "main"
    preset: Preset | None = None
    pad: bool = False
    batch_size: int = 8

    def __post_init__(self) -> None:
        """Refuse what would score nothing."""
        for name, value in (("hop", self.hop), ("batch_size", self.batch_size)):
            if value is not None and not value > 0:
                raise SvfapError(f"{name.replace('_', ' ')} is {value}; take a number above 0")


def sources(path: Path) -> dict[str, Path]:
    """Name -> video: a file, a folder of frames, or all videos below a folder.

    Raises:
        SvfapError: there is no such file or folder, or no video in it.
    """
    if not path.exists():
        raise SvfapError(f"{path}: no such file or folder; name a video, a folder or a camera")
    if path.is_file():
        return {printable(path.name): path}
    files = sorted(p for p in path.rglob("*") if not p.name.startswith("."))
    videos = [p for p in files if p.suffix.lower() in VIDEO_SUFFIXES and p.is_file()]
    if videos:
        return {printable(p.relative_to(path).as_posix()): p for p in videos}
    if any(p.suffix.lower() in _PICTURES for p in path.iterdir()):
        return {printable(path.name): path}
    raise SvfapError(f"{path}: no video in this folder ({', '.join(sorted(VIDEO_SUFFIXES))})")


def printable(name: str) -> str:
    """A file's name in one line of text; bytes that are none and control characters as escapes."""
    shown = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
    return "".join(shown)


def crop_settings(facts: Facts, options: Options) -> CropConfig:
    """How to crop for a model: as its training clips were, or as is asked for."""
    own = facts.crop.get("preset")
    preset = options.preset or own
    if preset is None:
        logger.warning("the model does not say how its faces were cropped; taking preset auto")
    elif preset in FIXED_PRESETS and options.preset is None:
        logger.warning(
            "the model learned from face pictures that its publisher cut out; raw video is cropped"
            " with preset auto instead (--preset %s if yours are such pictures)", preset,
        )  # fmt: skip
        preset = None
    changes = {"preset": preset or "auto", "speaker": "all", "min_frames": 1}
    return parse(CropConfig, facts.crop | changes, where="the model's crop settings")
