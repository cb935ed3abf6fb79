"""Get files: from this machine, HTTP servers, video platforms and archives."""

from svfap.sources.http import fetch, is_url
from svfap.sources.source_error import SourceError, WebPageError

__all__ = ["SourceError", "WebPageError", "fetch", "is_url"]
