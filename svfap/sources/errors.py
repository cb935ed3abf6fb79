"""What goes wrong with one file, while others may still be had."""

from svfap.errors import SvfapError


class SourceError(SvfapError):
    """The file cannot be had from where it should come; others still may."""


class WebPage(SourceError):
    """The address is that of a page on which a video may be shown, not of the video."""
