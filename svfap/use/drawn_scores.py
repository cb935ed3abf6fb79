"""The annotated video and the page of one video, as a loaded model's methods write them."""

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from svfap.errors import SvfapError
from svfap.overwriting import check_writable, keep_inputs
from svfap.use.annotate import annotate
from svfap.use.bundle import Bundle
from svfap.use.footage import Footage
from svfap.use.inputs import OneInput, Video, find_inputs
from svfap.use.page import Page
from svfap.use.timeline_page import EMBEDDED, write_page
from svfap.use.video_scores import VideoScores
from svfap.video.encode import find_ffmpeg


class VideoScorer(Protocol):
    """What is needed of a `svfap.use.drawn.Drawn`, whose methods call this module."""

    bundle: Bundle
    show_progress: bool

    def score_videos(self, videos: Mapping[str, Video]) -> Iterator[VideoScores]:
        """Score videos one after the other."""


def annotate_video(
    predictor: VideoScorer,
    given: OneInput,
    out: str | Path | None,
    *,
    fps: float | None,
    overwrite: bool,
) -> Path:
    """Score a video and write its annotated video; see `Drawn.annotate`."""
    wanted = None if out is None else _named(out, (".mp4",))
    name, video = _one_video(predictor, given, fps)
    path = wanted or Path(f"{Path(name).stem}_annotated.mp4")
    _check_place(path, video, overwrite=overwrite)
    scores, footage = _scored(predictor, name, video)
    path.parent.mkdir(parents=True, exist_ok=True)
    shown = predictor.show_progress
    annotate(footage, scores.table, predictor.bundle.facts, path, show_progress=shown)
    return path


def make_page(
    predictor: VideoScorer,
    given: OneInput,
    out: str | Path | None,
    *,
    fps: float | None,
    overwrite: bool,
) -> Page:
    """Score a video and make its page; see `Drawn.page`."""
    path = None if out is None else _named(out, (".html", ".htm"))
    name, original = _one_video(predictor, given, fps)
    if path is not None:
        _check_place(path, original, overwrite=overwrite)
    scores, footage = _scored(predictor, name, original)
    with TemporaryDirectory(prefix="svfap-") as folder:
        page, video = Path(folder) / "page.html", Path(folder) / "page.mp4"
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            page, video = path, video.with_name(f"{path.stem}.mp4")
        shown = predictor.show_progress
        size = annotate(footage, scores.table, predictor.bundle.facts, video, show_progress=shown)
        embedded = video.stat().st_size <= EMBEDDED
        if not embedded:
            if path is None:
                raise SvfapError(
                    f"{name}: its annotated video is too large for a page without a file; give"
                    " `out`, the file to write"
                )
            _check_place(page.with_name(video.name), original, overwrite=overwrite)
        bundle, seconds = predictor.bundle, footage.seconds
        write_page(page, scores.table, bundle, video=video, size=size, seconds=seconds)
        if not embedded:
            shutil.move(video, page.with_name(video.name))
        return Page(page.read_text(encoding="utf-8"), path, embedded)


def _one_video(predictor: VideoScorer, given: OneInput, fps: float | None) -> tuple[str, Video]:
    """Return the video that a user names, and its name.

    Raises:
        SvfapError: there are several videos or none, or the model or this machine cannot draw them.
    """
    predictor.bundle.require_head()
    find_ffmpeg()
    videos, _ = find_inputs(given, fps)
    if len(videos) > 1:
        raise SvfapError(f"{len(videos)} videos given; give one at a time")
    return next(iter(videos.items()))


def _scored(predictor: VideoScorer, name: str, video: Video) -> tuple[VideoScores, Footage]:
    """Score one video, and return its scores and its frames.

    Raises:
        SvfapError: the video was rejected.
    """
    (scores,) = predictor.score_videos({name: video})
    if scores.footage is None:
        raise SvfapError(f"{scores.path}: {scores.reject}")
    return scores, scores.footage


def _named(out: str | Path, suffixes: tuple[str, ...]) -> Path:
    """Return the file to write.

    Raises:
        SvfapError: it is no path, has another suffix, or is a folder.
    """
    if not isinstance(out, str | os.PathLike):
        raise SvfapError(f"out is {out!r}; name a file that ends in {suffixes[0]}")
    path = Path(out)
    if "://" in str(out):
        raise SvfapError(f"{out}: is an address; name a file, which you can upload later")
    try:
        is_folder = path.is_dir()
    except OSError as error:  # such as a name that is too long
        raise SvfapError(f"{out}: cannot be written ({error.strerror})") from None
    if path.suffix.lower() not in suffixes or is_folder or "\0" in str(out):
        raise SvfapError(f"{out}: is no name of a file that ends in {suffixes[0]}")
    return path


def _check_place(path: Path, video: Video, *, overwrite: bool) -> None:
    """Check that a file may be written.

    Raises:
        SvfapError: it is the video itself, exists and may not be replaced, or cannot be written.
    """
    keep_inputs([video] if isinstance(video, Path) else [], [path])
    check_writable(path.parent)
    if path.exists() and not overwrite:
        raise SvfapError(f"{path}: exists; choose another file, or give overwrite=True")
