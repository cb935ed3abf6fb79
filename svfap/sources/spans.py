"""Download one large file in several spans at once, for servers that limit each connection.

Each span is a download of its own and resumes like any other. If the server does not support ranges
or does not identify the version of its file, the whole file is downloaded over one connection.
"""

import shutil
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from urllib.error import HTTPError

from svfap.errors import SvfapError
from svfap.sources.http import download_with_retries, fetch, verify
from svfap.sources.partial import ANYTHING, Advance, Expected, Partial, Span, check_space
from svfap.sources.request import CONTENT_RANGE, request, validator_of
from svfap.sources.source_error import TransientError

SPANS = 4
MIN_BYTES = 64 << 20  # smaller files take seconds anyway
TRIES = 5


def fetch_in_spans(
    url: str,
    destination: Path,
    *,
    expected: Expected = ANYTHING,
    advance: Advance,
    min_bytes: int = MIN_BYTES,
    backoff: float = 1.0,
) -> Path:
    """Download a file as `fetch` does, but in spans if the file is large and the server allows it.

    Args:
        url: address of the file.
        destination: final path.
        expected: size and checksum, where known.
        advance: function called with the number of bytes received; negative if bytes are discarded.
        min_bytes: size from which a file is divided.
        backoff: pause in seconds after the first failed attempt.

    Raises:
        SourceError: the file is missing, refused, or not the expected one.
        SvfapError: this machine cannot store it.
    """
    whole = Partial(destination.with_name(destination.name + ".part"), advance)
    # A download that was started over one connection continues that way.
    spans = [] if destination.exists() or whole.size else _spans(url, min_bytes)
    if not spans:
        return fetch(url, destination, expected=expected, advance=advance, backoff=backoff)
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        pieces = [_open_piece(destination, span, advance) for span in spans]
        missing = sum(span.size for span in spans) - sum(piece.size for piece in pieces)
        check_space(url, destination.parent, missing)
        with ThreadPoolExecutor(SPANS) as pool:
            jobs = [
                pool.submit(download_with_retries, url, piece, tries=TRIES, backoff=backoff)
                for piece in pieces
            ]
            for job in jobs:
                job.result()
        _join(pieces)  # from here on, pieces[0] is the whole file
        verify(url, pieces[0], expected)
        pieces[0].path.replace(destination)
        pieces[0].sidecar.unlink()
    except OSError as error:
        why = f"cannot be stored as {destination} ({error.strerror})"
        raise SvfapError(f"{url}: {why}; check its permissions and free space") from None
    return destination


def _spans(url: str, min_bytes: int) -> list[Span]:
    """Return equal spans of a large file; none if it is small or the server cannot serve spans."""
    try:
        # One byte is enough to learn the file's size, its version and whether ranges work.
        with request(url, {"Range": "bytes=0-0"}) as response:
            content_range = CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
            validator = validator_of(response.headers)
            serves_ranges = response.status == 206
    except (HTTPError, TransientError):
        return []
    if not (content_range and validator and serves_ranges):
        return []
    total = int(content_range["total"])
    if total < min_bytes:
        return []
    starts = [total * number // SPANS for number in range(SPANS + 1)]
    return [Span(first, after - 1, validator) for first, after in pairwise(starts)]


def _open_piece(destination: Path, span: Span, advance: Advance) -> Partial:
    """Return the partial download of a span; discard bytes that cannot be continued.

    Such bytes belong to another version of the file, or to a first piece that is longer than its
    span: an earlier run was interrupted while it appended the other pieces to the first.
    """
    path = destination.with_name(f"{destination.name}.part.{span.first}-{span.last}")
    piece = Partial(path, advance, span)
    note = piece.sidecar.read_text(encoding="utf-8") if piece.sidecar.exists() else ""
    if piece.size > span.size or note.partition("\n")[2] != span.validator:
        piece.discard()
    advance(piece.size)
    return piece


def _join(pieces: list[Partial]) -> None:
    """Append all other pieces to the first one; this needs no disk space for a second copy."""
    with pieces[0].path.open("ab") as whole:
        for piece in pieces[1:]:
            with piece.path.open("rb") as part:
                shutil.copyfileobj(part, whole, 1 << 20)
            piece.path.unlink()
            piece.sidecar.unlink()
