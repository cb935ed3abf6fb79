"""Choices of a user: how to score videos."""

import logging
import math
import reprlib
import sys
import textwrap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal, TypeGuard, get_args

from svfap.config import FIXED_PRESETS, CropConfig, Preset
from svfap.config.yaml_file import parse
from svfap.errors import SvfapError

if TYPE_CHECKING:
    import torch

    from svfap.use.bundle import ModelFacts

Speaker = Literal["main", "all"]
_LONGEST = 60  # letters of a wrong value in a message
FLAG = (False, True)  # values of an option that is on or off
WINDOW = "window"  # the hop of windows that follow each other without overlap

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """How to score videos.

    Attributes:
        hop: seconds from one window to the next; None means half a window, and "window" a whole
            one, so that windows do not overlap.
        speaker: whether to score the main face of each moment, or all faces.
        preset: crop preset; None means the preset of the training clips.
        pad: whether to score faces seen for less than a window; their last frame repeats, as in
            testing.
        batch_size: number of windows to score at a time.
        stream: number of a video's stream of pictures, from 0, not counting covers; None means the
            stream that ffmpeg takes.
        device: where to compute: cpu, cuda, cuda:N, mps, or a `torch.device`; None means a GPU if
            there is one. `svfap.use.devices` checks it.

    Raises:
        SvfapError: a number is not above 0, a choice does not exist, or the stream is below 0.
    """

    hop: float | Literal["window"] | None = None
    speaker: Speaker = "main"
    preset: Preset | None = None
    pad: bool = False
    batch_size: int = 8
    stream: int | None = None
    device: "str | torch.device | None" = None

    def __post_init__(self) -> None:
        """Check the numbers: 0, a negative number or NaN would score nothing."""
        if not (self.hop is None or _is(self.hop, WINDOW) or is_positive(self.hop)):
            raise SvfapError(f"hop is {self.hop!r}; take a number above 0 or {WINDOW!r}")
        if not is_positive(self.batch_size):
            raise SvfapError(f"batch size is {self.batch_size!r}; take a number above 0")
        if not isinstance(self.batch_size, Integral) or self.batch_size > sys.maxsize:
            raise SvfapError(f"batch size is {self.batch_size!r}; take a whole number")
        for name, value, allowed in (
            ("speaker", self.speaker, get_args(Speaker)),
            ("preset", self.preset, (None, *get_args(Preset))),
            ("pad", self.pad, FLAG),
        ):
            check_choice(name, value, allowed)
        stream = self.stream
        if stream is not None and (
            not isinstance(stream, Integral) or isinstance(stream, bool) or stream < 0
        ):
            raise SvfapError(f"stream is {stream!r}; count streams from 0")

    def hop_of(self, window: float) -> float:
        """Return the hop between windows of a length, both in seconds."""
        if self.hop is None:
            return window / 2
        return window if isinstance(self.hop, str) else self.hop


def make_options(chosen: Mapping[str, Any], *, hidden: Collection[str] = ()) -> Options:
    """Return the options of a caller of `svfap.load`.

    Args:
        chosen: name -> value.
        hidden: options that the message on a wrong name does not offer.

    Raises:
        SvfapError: there is no such option, or its value makes no sense.
    """
    known = [field.name for field in fields(Options) if field.name not in hidden]
    for name in chosen:
        if name not in known:
            raise SvfapError(f"no option {in_few_words(name)}; the options are {', '.join(known)}")
    return Options(**chosen)


def refuse(unknown: Mapping[str, object], method: str, arguments: str) -> None:
    """Refuse arguments that a method of a loaded model does not have.

    Raises:
        SvfapError: there are any; the message says where the first belongs.
    """
    options = [field.name for field in fields(Options)]
    for name in unknown:
        advice = f"its arguments are {arguments}"
        if near := get_close_matches(name, options, n=1):
            advice = f"{near[0]} is an option of the model, as in svfap.load(..., {near[0]}=...)"
        raise SvfapError(f"{method} has no argument {name!r}; {advice}")


def check_choice(name: str, value: object, allowed: Sequence[object]) -> None:
    """Check that a user's value is one of a few.

    Raises:
        SvfapError: it is not; 1 is not True, since "no" would be True too.
    """
    if not any(_is(value, one) for one in allowed):
        names = ", ".join(map(str, allowed))
        raise SvfapError(f"{name} is {in_few_words(value)}; choose one of {names}")


def in_few_words(value: object) -> str:
    """Return a user's value for a message, shortened."""
    return textwrap.shorten(reprlib.repr(value), _LONGEST, placeholder="...")


def is_positive(value: object) -> TypeGuard[float]:
    """Return whether a user's value is a finite number above 0; True is no number."""
    return isinstance(value, Real) and not isinstance(value, bool) and 0 < float(value) < math.inf


def _is(value: object, allowed: object) -> bool:
    """Return whether a value is an allowed one; 1 is not True, and an array is not a text."""
    return isinstance(value, type(allowed)) and value == allowed


def crop_settings(facts: "ModelFacts", options: Options) -> CropConfig:
    """Return how to crop for a model: like its training clips, or as the options say."""
    preset = options.preset or facts.crop.get("preset")
    if preset is None:
        logger.warning("the model does not say how its faces were cropped; using preset auto")
    elif preset in FIXED_PRESETS and options.preset is None:
        logger.warning(
            "the model learned from face pictures that the dataset's publisher had cropped; videos"
            " are cropped with preset auto instead (--crop-preset %s if yours are such pictures)",
            preset,
        )
        preset = None
    # Keep clips of any length and all faces: `footage.find_faces` chooses faces moment by moment,
    # and compares their length with a window.
    whole = options.speaker == "main" and facts.crop.get("missing", "reject") != "reject"
    changes = {
        "preset": preset or "auto",
        "speaker": "main" if whole else "all",
        "missing": facts.crop["missing"] if whole else "reject",
        "min_frames": 1,
        "stream": options.stream,
    }
    return parse(CropConfig, facts.crop | changes, where="the model's crop settings")
