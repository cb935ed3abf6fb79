"""What a user scores from Python: paths, arrays of frames, and lists of these."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from svfap.errors import SvfapError
from svfap.use.find_videos import FoundVideos, find_videos, printable, unused
from svfap.use.frame_array import FrameArray, check_frames, check_rate
from svfap.use.options import check_choice, in_few_words
from svfap.video.decode import FOLDER_RATE

Video = Path | FrameArray
OneInput = str | os.PathLike[str] | NDArray[Any] | torch.Tensor
OnError = Literal["raise", "skip"]
Inputs = OneInput | Sequence[OneInput]  # Series of pandas are sequences too, though not by type

_KINDS = "a path, an array of frames with fps=, or a list of these"


def find_inputs(
    given: Any,  # noqa: ANN401
    fps: float | None,
    *,
    on_error: OnError = "raise",
) -> tuple[dict[str, Video], str]:
    """Find the videos that a user names.

    Args:
        given: a video, a folder of frames, a folder of videos, an array of frames (T, H, W, 3)
            uint8, RGB, or a list of these. A number tells equal names apart.
        fps: frames per second of all arrays; None if there are none.
        on_error: whether paths of a list that have no video are left out ("skip").

    Returns:
        Name -> video, and a line on what was left out, see `FoundVideos`.

    Raises:
        SvfapError: something given is no video, or a path has no video.
    """
    check_choice("on_error", on_error, get_args(OnError))
    items = _listed(given)
    videos: dict[str, Video] = {}
    every = FoundVideos()
    for item in items:
        if _is_array(item):
            found: dict[str, Video] = {"frames": FrameArray(check_frames(item), check_rate(fps))}
        else:
            try:
                below = find_videos(os.fspath(item))
            except SvfapError as error:
                if on_error == "raise":
                    raise
                name = printable(os.fspath(item))
                every.left_out[name] = str(error).removeprefix(f"{item}: ")
                continue
            every.left_out |= below.left_out
            found = {**below.videos}
        for name, video in found.items():
            videos[unused(name, videos)] = video
    if not videos:
        raise SvfapError(f"no video; {every.describe_left_out()}")
    if fps is not None and not any(isinstance(video, FrameArray) for video in videos.values()):
        raise SvfapError(
            "fps is for arrays of frames; leave it out, since a file says its own rate, and a"
            f" folder of frames has {FOLDER_RATE:g} per second"
        )
    return videos, every.describe_left_out()


def _listed(given: Any) -> list[Any]:  # noqa: ANN401
    """Return a user's videos as a list of paths and arrays.

    Raises:
        SvfapError: the list is empty, or something is neither.
    """
    if _is_path(given) or _is_array(given):
        return [given]
    # Series of pandas, and arrays of text, have `tolist`.
    if not (isinstance(given, list | tuple) or hasattr(given, "tolist")):
        advice = ""
        if isinstance(given, bytes | bytearray) or hasattr(given, "read"):
            advice = "; write what it holds into a file, and name the file"
        elif hasattr(given, "__iter__"):
            advice = "; make a list of it"
        raise SvfapError(f"{in_few_words(given)} is no video; give {_KINDS}{advice}")
    items = [*given] if isinstance(given, list | tuple) else np.atleast_1d(given).tolist()
    if not items:
        raise SvfapError("the list of videos is empty; name at least one video")
    for number, item in enumerate(items, 1):
        if not (_is_path(item) or _is_array(item)):
            raise SvfapError(
                f"item {number} of the list is {in_few_words(item)}, which is no video; give"
                f" {_KINDS}"
            )
    return items


def _is_path(given: object) -> bool:
    return isinstance(given, str) or (
        isinstance(given, os.PathLike) and isinstance(os.fspath(given), str)
    )


def _is_array(given: object) -> bool:
    """Return whether something is an array of numbers; arrays of text are lists of paths."""
    if not isinstance(given, np.ndarray):
        return isinstance(given, torch.Tensor)
    return given.dtype.kind not in "OUST" or given.ndim > 2
