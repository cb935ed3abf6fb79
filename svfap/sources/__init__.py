"""Where files come from: this machine, HTTP servers, video platforms, archives."""

from svfap.sources.errors import SourceError, WebPage
from svfap.sources.http import fetch, is_url

__all__ = ["SourceError", "WebPage", "fetch", "is_url"]
