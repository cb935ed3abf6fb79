"""Send HTTP requests and read the headers of responses that downloads need (RFC 9110)."""

import base64
import re
import ssl
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPResponse
from urllib.error import HTTPError
from urllib.parse import quote, unquote, urlsplit, urlunsplit
from urllib.request import Request, urlopen

from svfap import __version__
from svfap.sources.source_error import SourceError, TransientError

TIMEOUT_SECONDS = 60.0
CONTENT_RANGE = re.compile(r"bytes (?P<first>\d+)-\d+/(?P<total>\d+)")


def request(url: str, headers: dict[str, str], *, timeout: float = TIMEOUT_SECONDS) -> HTTPResponse:
    """Send a GET request; `user:password@` in the address becomes a header (RFC 7617).

    Raises:
        HTTPError: the server refuses.
        SourceError: the address is wrong.
        TransientError: the server cannot be reached at the moment.
    """
    # Without "identity", a server may compress the body, and ranges would count compressed bytes.
    common = {"User-Agent": f"svfap/{__version__}", "Accept-Encoding": "identity"}
    address, authorization = _split_userinfo(_quoted(url))
    sent = Request(address, headers=common | headers)
    if authorization:
        # A redirect may lead to another host, which must not get the password.
        sent.add_unredirected_header("Authorization", authorization)
    try:
        response: HTTPResponse = urlopen(sent, timeout=timeout)
    except HTTPError:
        raise
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        # A wrong certificate stays wrong, so do not retry; retry all other failures to connect.
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise SourceError(f"{url}: {reason.verify_message}; correct the address") from None
        raise TransientError(f"no connection: {reason}") from None
    return response


def validator_of(headers: Message) -> str:
    """Return the ETag or Last-Modified that identifies this version of the file, or "".

    A weak ETag (`W/"..."`) is ignored: files that share it may differ in bytes (RFC 9110, 13.1.5).
    """
    etag = headers.get("ETag", "")
    return etag if etag.startswith('"') else headers.get("Last-Modified", "")


def retry_after(value: str) -> float:
    """Return the seconds in a Retry-After header, a number or a date; 0 if it is neither."""
    if value.isdecimal():
        return float(value)
    try:
        return (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError):
        return 0.0


def _split_userinfo(url: str) -> tuple[str, str]:
    """Return a URL without userinfo, and the userinfo as an Authorization header, or ""."""
    parts = urlsplit(url)
    userinfo, _, host = parts.netloc.rpartition("@")
    if not userinfo:
        return url, ""
    user, _, password = userinfo.partition(":")
    plain = f"{unquote(user)}:{unquote(password)}".encode()
    header = f"Basic {base64.b64encode(plain).decode()}"
    return urlunsplit(parts._replace(netloc=host)), header


def _quoted(url: str) -> str:
    """Return a URL with spaces and non-ASCII letters escaped; existing escapes stay.

    Users paste such URLs, and `urllib`, which sends URLs as they are, fails on them.
    """
    try:
        parts = urlsplit(url)
        valid = bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise SourceError(f"{url}: not a valid address; correct it")
    path, query = (quote(part, "%/:=&?~+!$,;'@()*[]") for part in (parts.path, parts.query))
    return urlunsplit(parts._replace(path=path, query=query, fragment=""))
