"""Where files come from: this machine, HTTP servers, video platforms, archives."""

from svfap.sources.http import fetch, is_url
from svfap.sources.source_error import SourceError, WebPage

__all__ = ["SourceError", "WebPage", "fetch", "is_url"]
