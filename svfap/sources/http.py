"""Get one file: check that a local path exists, or download an http(s) URL.

A download is written to `<name>.part` and renamed only when it is complete, so a file with its
final name is always complete. An interrupted download resumes, unless the server's file has changed
since (RFC 9110). This module uses only the standard library.
"""

import logging
import os
import time
from collections.abc import Iterator
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError

from svfap.errors import SvfapError
from svfap.sources.partial import ANYTHING, Advance, Expected, Partial, check_space
from svfap.sources.request import CONTENT_RANGE, request, retry_after, validator_of
from svfap.sources.source_error import SourceError, TransientError, WebPageError

CHUNK_BYTES = 1 << 20
MAX_WAIT_SECONDS = 120.0

logger = logging.getLogger(__name__)


def _ignore(count: int) -> None:
    """Ignore the number of received bytes."""


def is_url(source: str) -> bool:
    """Return whether a source is an http(s) URL and not a local path."""
    return source.lower().startswith(("http://", "https://"))


def fetch(
    source: str,
    destination: Path,
    *,
    expected: Expected = ANYTHING,
    advance: Advance = _ignore,
    tries: int = 5,
    backoff: float = 1.0,
) -> Path:
    """Return the path of a complete file; download it first if the source is a URL.

    A local file is not copied; its resolved path is returned. A URL is downloaded to
    `destination` unless that exists; delete it to download it again.

    Args:
        source: local path, or http(s) URL of the file itself.
        destination: final path of a download.
        expected: size and checksum of a download, where known; another file raises SourceError.
        advance: function called with the number of bytes received; negative if bytes are discarded.
        tries: give up after this many attempts in a row without new bytes.
        backoff: pause in seconds after the first failed attempt, doubled after each further one.

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
            advance(partial.size)  # bytes of an earlier run
            download_with_retries(source, partial, tries=tries, backoff=backoff)
            verify(source, partial, expected)
            partial.path.replace(destination)
            partial.sidecar.unlink(missing_ok=True)
        except OSError as error:
            why = f"cannot be stored as {destination} ({error.strerror})"
            raise SvfapError(f"{source}: {why}; check its permissions and free space") from None
    return destination


def verify(url: str, partial: Partial, expected: Expected) -> None:
    """Discard a download and raise SourceError if it is not the expected file."""
    problem = expected.problem(partial.path)
    if problem:
        partial.discard()
        raise SourceError(f"{url}: {problem}; run again to download it again")


def download_with_retries(url: str, partial: Partial, *, tries: int, backoff: float) -> None:
    """Download until the file is complete; give up after `tries` attempts without new bytes."""
    failures = 0
    most = partial.size
    while True:
        try:
            return _attempt(url, partial)
        except TransientError as problem:
            # An attempt that received new bytes starts the count again: long downloads over bad
            # networks break off often and still finish.
            failures = 1 if partial.size > most else failures + 1
            most = max(most, partial.size)
            if failures >= tries:
                why = f"download failed, {failures} attempts in a row ({problem})"
                advice = "check the address and the network, then run again to resume"
                raise SourceError(f"{url}: {why}; {advice}") from None
            wait = min(max(backoff * 2 ** (failures - 1), problem.wait), MAX_WAIT_SECONDS)
            logger.warning("%s: %s; next attempt in %.0f s", url, problem, wait)
            time.sleep(wait)


def _attempt(url: str, partial: Partial) -> None:
    """Send one request; on return the partial file is complete and on disk."""
    validator = partial.validator(url)
    kept = partial.size if validator else 0
    if partial.span and kept == partial.span.size:
        return
    try:
        response = request(url, partial.headers(validator))
    except HTTPError as error:
        with error:
            return _handle_refusal(url, error, partial, kept)
    with response:
        _receive(url, response, partial, kept)


def _receive(url: str, response: HTTPResponse, partial: Partial, kept: int) -> None:
    """Append the body of a 200 or 206 response to the partial file."""
    headers = response.headers
    if headers.get_content_type() == "text/html":
        raise WebPageError(f"{url}: is a web page, not a video file; give the file's own address")
    validator = validator_of(headers)
    total = response.length
    span = partial.span
    if response.status == 206:
        content_range = CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
        total = span.size if span else int(content_range["total"]) if content_range else None
        wanted = kept + (span.first if span else 0)
        known = span.validator if span else partial.validator(url)
        resumes = content_range is not None and int(content_range["first"]) == wanted
        # Some servers ignore If-Range and send a range of the changed file; compare validators.
        if not resumes or (validator and validator != known):
            partial.discard()
            raise TransientError("the file changed on the server; downloading it from the start")
        if not kept:
            partial.start(url, known)
    elif span:
        raise SourceError(f"{url}: changed on the server during the download; run again")
    else:  # 200: the server sends the whole file, whatever we have
        partial.start(url, validator)
    check_space(url, partial.path.parent, (total or 0) - partial.size)
    with partial.path.open("ab") as file:
        for chunk in _chunks(response):
            file.write(chunk)
            partial.advance(len(chunk))
        file.flush()
        os.fsync(file.fileno())  # before the rename, so that a power cut leaves no empty file
    if total is not None and partial.size != total:
        raise TransientError(f"got {partial.size} of {total} bytes")


def _chunks(response: HTTPResponse) -> Iterator[bytes]:
    """Yield the body in chunks.

    Raises:
        TransientError: the connection broke. Errors of the disk are OSErrors too, but the caller's
            code raises them, so they are not converted.
    """
    while True:
        try:
            chunk = response.read1(CHUNK_BYTES)
        except (OSError, HTTPException) as error:
            raise TransientError(f"connection lost: {error!r}") from None
        if not chunk:
            return
        yield chunk


def _handle_refusal(url: str, error: HTTPError, partial: Partial, kept: int) -> None:
    """Return if an error response means that all bytes are on disk already; else raise."""
    if error.code == 416 and kept:  # the range starts after the end of the file
        if error.headers.get("Content-Range") == f"bytes */{kept}":
            return
        partial.discard()
        raise TransientError("the file changed on the server; downloading it from the start")
    answer = f"the server answered {error.code} {error.reason}".rstrip()
    if error.code in {408, 425, 429} or error.code >= 500:  # timeout, too early, too many, server
        raise TransientError(answer, retry_after(error.headers.get("Retry-After", "")))
    by_hand = "download it by hand and give its local path instead"
    advice = by_hand if error.code in {401, 403, 407} else "correct the address or leave it out"
    raise SourceError(f"{url}: {answer}; {advice}")
