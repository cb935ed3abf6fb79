"""The annotated video and the page of one video, as a loaded model's methods write them."""

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from svfap.errors import SvfapError
from svfap.overwriting import keep_inputs
from svfap.use.annotate import annotate
from svfap.use.bundle import Bundle
from svfap.use.footage import Footage
from svfap.use.inputs import OneInput, Video, find_inputs
from svfap.use.page import Page
from svfap.use.timeline_page import EMBEDDED, write_page
from svfap.use.video_scores import VideoScores
from svfap.video.encode import find_ffmpeg


class VideoScorer(Protocol):
    """What is needed of `svfap.use.predictor.Predictor`, whose methods call this module."""

    bundle: Bundle
    show_progress: bool

    def score_videos(self, videos: Mapping[str, Video]) -> Iterator[VideoScores]:
        """Score videos one after the other."""


def annotate_video(
    predictor: VideoScorer, given: OneInput, out: str | Path | None, *, fps: float | None
) -> Path:
    """Score a video and write its annotated video; see `Predictor.annotate`."""
    path = None if out is None else _checked(out, (".mp4",))
    scores, footage = _scored(predictor, given, fps)
    if path is None:
        path = Path(f"{Path(scores.video).stem}_annotated.mp4")
    path.parent.mkdir(parents=True, exist_ok=True)
    shown = predictor.show_progress
    annotate(footage, scores.table, predictor.bundle.facts, path, show_progress=shown)
    return path


def make_page(
    predictor: VideoScorer, given: OneInput, out: str | Path | None, *, fps: float | None
) -> Page:
    """Score a video and make its page; see `Predictor.page`."""
    path = None if out is None else _checked(out, (".html", ".htm"))
    scores, footage = _scored(predictor, given, fps)
    with TemporaryDirectory(prefix="svfap-") as folder:
        page, video = Path(folder) / "page.html", Path(folder) / "page.mp4"
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            page, video = path, video.with_name(f"{path.stem}.mp4")
            keep_inputs([footage.path] if footage.path else [], [page])
        shown = predictor.show_progress
        size = annotate(footage, scores.table, predictor.bundle.facts, video, show_progress=shown)
        embedded = video.stat().st_size <= EMBEDDED
        if not embedded and path is None:
            raise SvfapError(
                f"{scores.video}: its annotated video is too large for a page without a file;"
                " give `out`, the file to write"
            )
        bundle, seconds = predictor.bundle, footage.seconds
        write_page(page, scores.table, bundle, video=video, size=size, seconds=seconds)
        if not embedded:
            _move_beside(video, page, footage)
        return Page(page.read_text(encoding="utf-8"), path, embedded)


def _move_beside(video: Path, page: Path, footage: Footage) -> None:
    """Move the annotated video beside its page, but never over the video itself."""
    beside = page.with_name(video.name)
    keep_inputs([footage.path] if footage.path else [], [beside])
    shutil.move(video, beside)


def _scored(
    predictor: VideoScorer, given: OneInput, fps: float | None
) -> tuple[VideoScores, Footage]:
    """Score one video, and return its scores and its frames.

    Raises:
        SvfapError: there are several videos, or this one was rejected.
    """
    predictor.bundle.require_head()
    find_ffmpeg()
    videos, _ = find_inputs(given, fps)
    if len(videos) > 1:
        raise SvfapError(f"{len(videos)} videos given; give one at a time")
    (scores,) = predictor.score_videos(videos)
    if scores.footage is None:
        raise SvfapError(f"{scores.path}: {scores.reject}")
    return scores, scores.footage


def _checked(out: str | Path, suffixes: tuple[str, ...]) -> Path:
    """Return the file to write.

    Raises:
        SvfapError: it is no path, has another suffix, or is a folder.
    """
    if not isinstance(out, str | os.PathLike):
        raise SvfapError(f"out is {out!r}; name a file that ends in {suffixes[0]}")
    path = Path(out)
    if path.suffix.lower() not in suffixes or path.is_dir():
        raise SvfapError(f"{out}: is no name of a file that ends in {suffixes[0]}")
    return path
