"""Bring one file in place: a local path is used where it lies, an http(s) URL is downloaded.

A download goes to `<name>.part` and takes its final name only when it is whole, so a file under its
final name can be trusted. A broken download goes on where it stopped, unless the server's file has
changed since (RFC 9110). Standard library only.
"""

import logging
import os
import re
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit, urlunsplit
from urllib.request import Request, urlopen

from svfap import __version__
from svfap.errors import SvfapError
from svfap.sources.partial import ANYTHING, Advance, Expected, Partial, check_space
from svfap.sources.source_error import Interrupted, SourceError, WebPage

CHUNK_BYTES = 1 << 20
TIMEOUT_SECONDS = 60.0
MAX_WAIT_SECONDS = 120.0
CONTENT_RANGE = re.compile(r"bytes (?P<first>\d+)-\d+/(?P<total>\d+)")

logger = logging.getLogger(__name__)


def _unseen(count: int) -> None:
    """Nobody watches the bytes."""


def is_url(source: str) -> bool:
    """Whether a source is to be downloaded."""
    return source.lower().startswith(("http://", "https://"))


def fetch(
    source: str,
    destination: Path,
    *,
    expected: Expected = ANYTHING,
    advance: Advance = _unseen,
    tries: int = 5,
    backoff: float = 1.0,
) -> Path:
    """Return a path at which the whole file lies.

    Local files are never copied: their own, resolved path is returned. A URL is downloaded to
    `destination`, unless that exists: delete it to download it anew.

    Args:
        source: local path, or http(s) URL of the file itself.
        destination: final path of a download.
        expected: size and checksum of a download, where known; another file is refused.
        advance: is told the number of bytes that came; negative if they are dropped again.
        tries: failed tries in a row, none of which brought new bytes, before giving up.
        backoff: pause in seconds after the first failed try, doubled after each further one.

    Raises:
        SourceError: the file is missing, refused, not the expected one, or the server cannot be
            reached.
        SvfapError: this machine cannot store it.
    """
    if not is_url(source):
        path = Path(source).expanduser().resolve()
        if not path.is_file():
            raise SourceError(f"{path}: is not a file; correct the path or put the file there")
        return path
    if not destination.exists():
        partial = Partial(destination.with_name(destination.name + ".part"), advance)
        try:
            destination.parent.mkdir(parents=True, exist_ok=True)
            advance(partial.size)
            persist(source, partial, tries=tries, backoff=backoff)
            verify(source, partial, expected)
            partial.path.replace(destination)
            partial.sidecar.unlink(missing_ok=True)
        except OSError as error:
            why = f"cannot be stored as {destination} ({error.strerror})"
            raise SvfapError(f"{source}: {why}; check its permissions and free space") from None
    return destination


def verify(url: str, partial: Partial, expected: Expected) -> None:
    """Drop a download that is not the expected file."""
    problem = expected.problem(partial.path)
    if problem:
        partial.discard()
        raise SourceError(f"{url}: {problem}; run again to download it anew")


def persist(url: str, partial: Partial, *, tries: int, backoff: float) -> None:
    """Try until the download is whole; only tries that brought nothing new count as failed."""
    failures = 0
    most = partial.size
    while True:
        try:
            return _attempt(url, partial)
        except Interrupted as problem:
            failures = 1 if partial.size > most else failures + 1
            most = max(most, partial.size)
            if failures >= tries:
                why = f"download failed, {failures} tries in a row ({problem})"
                advice = "check the address and the network, then run again: it resumes"
                raise SourceError(f"{url}: {why}; {advice}") from None
            wait = min(max(backoff * 2 ** (failures - 1), problem.wait), MAX_WAIT_SECONDS)
            logger.warning("%s: %s; next try in %.0f s", url, problem, wait)
            time.sleep(wait)


def _attempt(url: str, partial: Partial) -> None:
    """One request; on return the partial file is whole and on disk."""
    validator = partial.validator(url)
    kept = partial.size if validator else 0
    if partial.span and kept == partial.span.size:
        return
    try:
        response = request(url, partial.headers(validator))
    except HTTPError as error:
        with error:
            return _refused(url, error, partial, kept)
    with response:
        _receive(url, response, partial, kept)


def request(url: str, headers: dict[str, str]) -> HTTPResponse:
    """Ask for a URL.

    Raises:
        HTTPError: the server refuses.
        SourceError: the address is wrong.
        Interrupted: the server cannot be reached, now.
    """
    every = {"User-Agent": f"svfap/{__version__}", "Accept-Encoding": "identity"}
    try:
        answer: HTTPResponse = urlopen(
            Request(_quoted(url), headers=every | headers), timeout=TIMEOUT_SECONDS
        )
    except HTTPError:
        raise
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise SourceError(f"{url}: {reason.verify_message}; correct the address") from None
        raise Interrupted(f"no connection: {reason}") from None
    return answer


def _receive(url: str, response: HTTPResponse, partial: Partial, kept: int) -> None:
    """Append the body of a 200 or 206 answer to the partial file."""
    headers = response.headers
    if headers.get_content_type() == "text/html":
        raise WebPage(f"{url}: is a web page, not a video file; give the file's own address")
    validator = validator_of(headers)
    total = response.length
    span = partial.span
    if response.status == 206:
        place = CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
        total = span.size if span else int(place["total"]) if place else None
        wanted = kept + (span.first if span else 0)
        known = span.validator if span else partial.validator(url)
        resumes = place is not None and int(place["first"]) == wanted
        if not resumes or (validator and validator != known):
            partial.discard()
            raise Interrupted("the file changed on the server; begun anew")
        if not kept:
            partial.begin(url, known)
    elif span:
        raise SourceError(f"{url}: changed on the server meanwhile; run again")
    else:
        partial.begin(url, validator)
    check_space(url, partial.path.parent, (total or 0) - partial.size)
    with partial.path.open("ab") as file:
        for chunk in _chunks(response):
            file.write(chunk)
            partial.advance(len(chunk))
        file.flush()
        os.fsync(file.fileno())
    if total is not None and partial.size != total:
        raise Interrupted(f"got {partial.size} of {total} bytes")


def _chunks(response: HTTPResponse) -> Iterator[bytes]:
    """The body, piece by piece; what goes wrong here is the network's fault, not the disk's."""
    while True:
        try:
            chunk = response.read1(CHUNK_BYTES)
        except (OSError, HTTPException) as error:
            raise Interrupted(f"connection lost: {error!r}") from None
        if not chunk:
            return
        yield chunk


def _refused(url: str, error: HTTPError, partial: Partial, kept: int) -> None:
    """Return if an error answer says that all bytes are there already; raise otherwise."""
    if error.code == 416 and kept:
        if error.headers.get("Content-Range") == f"bytes */{kept}":
            return
        partial.discard()
        raise Interrupted("the file changed on the server; begun anew")
    answer = f"the server answered {error.code} {error.reason}".rstrip()
    if error.code in {408, 425, 429} or error.code >= 500:
        raise Interrupted(answer, _retry_after(error.headers.get("Retry-After", "")))
    by_hand = "download it by hand and give its local path instead"
    advice = by_hand if error.code in {401, 403, 407} else "correct the address or leave it out"
    raise SourceError(f"{url}: {answer}; {advice}")


def validator_of(headers: Message) -> str:
    """What identifies this state of the file; a weak ETag does not (RFC 9110, 13.1.5)."""
    etag = headers.get("ETag", "")
    return etag if etag.startswith('"') else headers.get("Last-Modified", "")


def _retry_after(value: str) -> float:
    """Seconds asked for by a Retry-After header, which holds seconds or a date; 0 if neither."""
    if value.isdecimal():
        return float(value)
    try:
        return (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError):
        return 0.0


def _quoted(url: str) -> str:
    """The URL with spaces and letters beyond ASCII escaped; what is escaped already stays."""
    try:
        parts = urlsplit(url)
        valid = bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise SourceError(f"{url}: not a valid address; correct it")
    path, query = (quote(part, "%/:=&?~+!$,;'@()*[]") for part in (parts.path, parts.query))
    return urlunsplit(parts._replace(path=path, query=query, fragment=""))
