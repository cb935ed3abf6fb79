"""Download videos that a web page shows, such as on YouTube, with yt-dlp."""

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
# Training needs neither sound nor large frames; prefer video-only streams of at most 720 pixels.
FORMAT = "bestvideo[height<=720]/best[height<=720]/bestvideo/best"
TRIES = 5

logger = logging.getLogger(__name__)


class _QuietLogger:
    """Logger for yt-dlp that logs everything as debug; yt-dlp raises its last error anyway."""

    def debug(self, message: str) -> None:
        logger.debug(message)

    warning = error = debug


def is_known_platform(url: str) -> bool:
    """Return whether a URL is a web page of one of the listed platforms."""
    host = urlsplit(url).hostname or ""
    return any(host == name or host.endswith(f".{name}") for name in PLATFORMS)


def fetch_from_page(url: str, destination: Path) -> Path:
    """Download the video that a web page shows, at most 720 pixels high, without sound.

    Args:
        url: address of the web page.
        destination: final path; an existing file is kept.

    Raises:
        SourceError: the video is deleted, private or not available here; the message says why.
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
        # The other files in the folder are unfinished downloads, which yt-dlp can resume.
        (video,) = (path for path in folder.iterdir() if path.suffix not in {".part", ".ytdl"})
        video.replace(destination)
    except YoutubeDLError as error:
        reason = " ".join(str(error).removeprefix("ERROR: ").split())
        raise SourceError(f"{url}: {reason}") from None
    except ValueError:
        raise SourceError(
            f"{url}: does not show exactly one video; give the web page of one video"
        ) from None
    except OSError as error:
        raise SvfapError(f"{url}: cannot be stored ({error.strerror}); free some space") from None
    shutil.rmtree(folder)
    return destination


def _options(folder: Path) -> dict[str, Any]:
    """Return settings with which yt-dlp resumes one video and reads no configuration files."""
    import imageio_ffmpeg

    return {
        "outtmpl": str(folder / "video.%(ext)s"),
        "format": FORMAT,
        "noplaylist": True,
        "quiet": True,
        "noprogress": True,
        "logger": _QuietLogger(),
        "retries": TRIES,
        "fragment_retries": TRIES,
        "ffmpeg_location": imageio_ffmpeg.get_ffmpeg_exe(),
        "cachedir": tempfile.gettempdir(),
    }
