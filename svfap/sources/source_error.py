"""Errors of a single download; other downloads may still succeed."""

from svfap.errors import SvfapError


class SourceError(SvfapError):
    """A file cannot be downloaded or found; other files may still be available."""


class WebPageError(SourceError):
    """The URL is a web page, which may show a video, and not a video file."""


class TransientError(Exception):
    """An attempt failed for a reason that may pass, so that a retry may succeed.

    Attributes:
        wait: seconds that the server asks us to wait before the next attempt; 0 if none.
    """

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait
