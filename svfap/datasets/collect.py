"""Download, find and cut the videos that a user's CSV lists.

No video is skipped silently: `failed.csv` lists each one that could not be downloaded or cut, and
the stage `crop` rejects it with its reason.
"""

import contextlib
import csv
import logging
import os
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from svfap import sources
from svfap.datasets import clip_keys, listing
from svfap.datasets.dataset import Listed
from svfap.datasets.listing import ListedVideo
from svfap.errors import SvfapError
from svfap.redact import redacted

FAILED = "failed.csv"  # in the folder of the dataset's copy

logger = logging.getLogger(__name__)


class FailedVideo(NamedTuple):
    """A row of `failed.csv`."""

    key: str
    source: str
    reason: str


def collect(root: Path, rows: Sequence[ListedVideo], keys: Sequence[str]) -> None:
    """Download and cut the listed videos below `root`, and list failures in `failed.csv`."""
    failed: list[FailedVideo] = []
    problems = _download(root, {row.source for row in rows if sources.is_url(row.source)})
    for key, row in zip(keys, rows, strict=True):
        video = video_path(root, row.source)
        try:
            if row.source in problems:
                raise problems[row.source]
            if not video.is_dir():
                sources.fetch(str(video), video)  # a local path: raises if the file is missing
            if not row.is_whole:
                _cut(row, video, clip_path(root, key, row))
        except SvfapError as error:
            failed.append(FailedVideo(key, redacted(row.source), str(error)))
    _report(root / FAILED, failed, len(rows))


def read_failed(path: Path) -> dict[str, str]:
    """Return key -> reason of the videos in a `failed.csv`; none if there is no such file."""
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        return {row["key"]: row["reason"] for row in csv.DictReader(file)}


def clip_path(root: Path, key: str, row: ListedVideo) -> Path:
    """Return the path of a row's clip: the whole video, or the clip cut out of it."""
    if row.is_whole:
        return video_path(root, row.source)
    return root / "cuts" / f"{key}-{clip_keys.digest(row)}.mp4"


def listed_as(row: ListedVideo) -> Listed:
    """Return path, start and end as the list has them; an address loses its secrets."""
    start = row.start if row.cells.get("start") else None
    return Listed(redacted(listing.path_or_id(row.cells)), start, row.end)


def _download(root: Path, urls: set[str]) -> dict[str, sources.SourceError]:
    """Download each URL once, a few at a time; return URL -> error for those that failed."""
    from svfap.sources.parallel import run_all

    ordered = sorted(urls)
    results = run_all([partial(_download_one, url, video_path(root, url)) for url in ordered])
    return {
        url: result
        for url, result in zip(ordered, results, strict=True)
        if isinstance(result, sources.SourceError)
    }


def _download_one(url: str, destination: Path) -> Path:
    """Download a video file, or the video that a web page shows."""
    from svfap.sources import platforms

    if not platforms.is_known_platform(url):
        with contextlib.suppress(sources.WebPageError):
            return sources.fetch(url, destination)
    return platforms.fetch_from_page(url, destination)


def video_path(root: Path, source: str) -> Path:
    """Return the path of the whole video: the user's own file, or a download below `root`."""
    if not sources.is_url(source):
        return Path(source)
    suffix = PurePosixPath(unquote(urlsplit(source).path)).suffix
    # A URL may end in anything. A file without a suffix is recognised by its content.
    safe = suffix if re.fullmatch(r"\.[A-Za-z0-9]{1,5}", suffix) else ".video"
    return root / "downloads" / f"{clip_keys.stem(source)}-{clip_keys.digest_of_text(source)}{safe}"


def _cut(row: ListedVideo, video: Path, path: Path) -> None:
    """Cut a clip out of its video, unless the clip exists and the video has not changed since."""
    from svfap.video import encode

    if video.is_dir():
        raise SvfapError(f"{row.where}: start and end cannot cut a folder of frames; remove them")
    # The clip gets its video's date. Comparing for equality also notices a video that was replaced
    # by an older one, and does not depend on the clocks of file servers.
    modified = video.stat().st_mtime_ns
    if not path.exists() or path.stat().st_mtime_ns != modified:
        path.parent.mkdir(parents=True, exist_ok=True)
        encode.cut(video, path, start=row.start, end=row.end)
        os.utime(path, ns=(modified, modified))


def _report(path: Path, failed: Sequence[FailedVideo], total: int) -> None:
    """Write the failed videos to `failed.csv`; without failures there is no file."""
    path.unlink(missing_ok=True)
    if failed:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([FailedVideo._fields, *failed])
        logger.warning(
            "%d of %d videos are missing, such as %s; %s lists them",
            *(len(failed), total, failed[0].reason, path),
        )
