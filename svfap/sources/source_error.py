"""What goes wrong with one file, while others may still be had."""

from svfap.errors import SvfapError


class SourceError(SvfapError):
    """The file cannot be had from where it should come; others still may."""


class WebPage(SourceError):
    """The address is that of a page on which a video may be shown, not of the video."""


class Interrupted(Exception):
    """This try failed, the next may not; `wait` is the pause in seconds the server asked for."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait
