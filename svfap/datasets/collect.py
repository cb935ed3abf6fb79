"""Bring listed videos in place, wherever they come from.

None is left out: one that cannot be had is listed in `failed.csv` and rejected, with its reason,
when faces are cropped.
"""

import contextlib
import csv
import logging
import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from svfap import sources
from svfap.datasets import listing
from svfap.datasets.listing import ListedVideo
from svfap.errors import SvfapError

DOWNLOADS_AT_ONCE = 4

logger = logging.getLogger(__name__)


def collect(root: Path, rows: Sequence[ListedVideo], keys: Sequence[str]) -> None:
    """Bring every video in place below `root`; what cannot be had is listed with its reason."""
    failed: list[tuple[str, str, str]] = []
    problems = _download(root, {row.source for row in rows if sources.is_url(row.source)})
    for key, row in zip(keys, rows, strict=True):
        origin = _origin(root, row.source)
        try:
            if row.source in problems:
                raise sources.SourceError(problems[row.source])
            if not origin.is_dir():
                sources.fetch(str(origin), origin)
            if not row.whole:
                _cut(row, origin, clip_path(root, key, row))
        except SvfapError as error:
            failed.append((key, row.source, str(error)))
    _report(root / "failed.csv", failed, len(rows))


def clip_path(root: Path, key: str, row: ListedVideo) -> Path:
    """Where the clip of a row lies: the video itself, or what is cut out of it."""
    if row.whole:
        return _origin(root, row.source)
    return root / "cuts" / f"{key}-{listing.digest(row)}.mp4"


def _download(root: Path, urls: set[str]) -> dict[str, str]:
    """Download each URL once, a few at a time; return what went wrong with which."""
    problems: dict[str, str] = {}
    with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
        jobs = {url: pool.submit(_fetch, url, _origin(root, url)) for url in sorted(urls)}
        try:
            for url, job in jobs.items():
                try:
                    job.result()
                except sources.SourceError as error:
                    problems[url] = str(error)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return problems


def _fetch(url: str, destination: Path) -> Path:
    """Download a video file, or the video that a page shows."""
    from svfap.sources import platforms

    if not platforms.is_page(url):
        with contextlib.suppress(sources.WebPage):
            return sources.fetch(url, destination)
    return platforms.fetch_page(url, destination)


def _origin(root: Path, source: str) -> Path:
    """Where the whole video lies, once it is there."""
    if not sources.is_url(source):
        return Path(source)
    suffix = PurePosixPath(unquote(urlsplit(source).path)).suffix
    safe = suffix if re.fullmatch(r"\.[A-Za-z0-9]{1,5}", suffix) else ".video"
    return root / "downloads" / f"{listing.stem(source)}-{listing.digest_of(source)}{safe}"


def _cut(row: ListedVideo, origin: Path, path: Path) -> None:
    """Cut a clip out of its video, unless that was done since the video last changed."""
    from svfap.video import encode

    if origin.is_dir():
        raise SvfapError(f"{row.where}: start and end cannot cut a folder of frames; drop them")
    made = origin.stat().st_mtime_ns  # the clip takes its video's date, whatever a clock says
    if not path.exists() or path.stat().st_mtime_ns != made:
        path.parent.mkdir(parents=True, exist_ok=True)
        encode.cut(origin, path, start=row.start, end=row.end)
        os.utime(path, ns=(made, made))


def _report(path: Path, failed: Sequence[tuple[str, str, str]], total: int) -> None:
    """List the videos that could not be had; no file means there are none."""
    path.unlink(missing_ok=True)
    if failed:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("key", "source", "reason"), *failed])
        logger.warning("%d of %d videos cannot be had; see %s", len(failed), total, path)
