"""Videos that are shown on a page of a video platform, by yt-dlp."""

import logging
import shutil
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from svfap.errors import SvfapError
from svfap.sources.source_error import SourceError

PLATFORMS = ("youtube.com", "youtu.be", "vimeo.com", "dailymotion.com", "bilibili.com")
WATCH = "https://www.youtube.com/watch?v={}"
FORMAT = "bestvideo[height<=720]/best[height<=720]/bestvideo/best"
TRIES = 5

logger = logging.getLogger(__name__)


class _Messages:
    """yt-dlp's messages, of which only the final error is of interest."""

    def debug(self, message: str) -> None:
        logger.debug(message)

    warning = error = debug


def is_page(url: str) -> bool:
    """Whether a URL is a page of a platform that is known by name."""
    host = urlsplit(url).hostname or ""
    return any(host == name or host.endswith(f".{name}") for name in PLATFORMS)


def fetch_page(url: str, destination: Path) -> Path:
    """Download the video that a page shows, at most 720 pixels high, without its sound.

    Args:
        url: address of the page.
        destination: final path; what is there already stays.

    Raises:
        SourceError: the video is gone, private, or not to be had from here; says why.
        SvfapError: yt-dlp is not installed, or the file cannot be stored.
    """
    if destination.exists():
        return destination
    try:
        from yt_dlp import YoutubeDL
        from yt_dlp.utils import YoutubeDLError
    except ImportError:
        raise SvfapError(f"{url}: needs yt-dlp; install it with: pip install yt-dlp") from None
    folder = destination.with_name(f".{destination.name}.page")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with YoutubeDL(_options(folder)) as downloader:
            downloader.download([url])
        (video,) = (path for path in folder.iterdir() if path.suffix not in {".part", ".ytdl"})
        video.replace(destination)
    except YoutubeDLError as error:
        reason = " ".join(str(error).removeprefix("ERROR: ").split())
        raise SourceError(f"{url}: {reason}") from None
    except ValueError:
        raise SourceError(f"{url}: shows no single video; give the page of one") from None
    except OSError as error:
        raise SvfapError(f"{url}: cannot be stored ({error.strerror}); make room") from None
    shutil.rmtree(folder)
    return destination


def _options(folder: Path) -> dict[str, Any]:
    """Settings of yt-dlp: one video, resumed where it stopped, nothing of the user's own setup."""
    import imageio_ffmpeg

    return {
        "outtmpl": str(folder / "video.%(ext)s"),
        "format": FORMAT,
        "noplaylist": True,
        "quiet": True,
        "noprogress": True,
        "logger": _Messages(),
        "retries": TRIES,
        "fragment_retries": TRIES,
        "ffmpeg_location": imageio_ffmpeg.get_ffmpeg_exe(),
        "cachedir": tempfile.gettempdir(),
    }
