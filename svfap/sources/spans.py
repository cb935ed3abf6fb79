"""One large file in several spans at once, for servers that slow each connection down.

Each span is a download of its own, resumed like any other. A server that does not serve ranges, or
does not say which state of the file they are of, is asked for the whole file instead.
"""

import shutil
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from urllib.error import HTTPError

from svfap.errors import SvfapError
from svfap.sources.http import CONTENT_RANGE, fetch, persist, request, validator_of, verify
from svfap.sources.partial import ANYTHING, Advance, Expected, Partial, Span, check_space
from svfap.sources.source_error import Interrupted

AT_ONCE = 4
LEAST_BYTES = 64 << 20
TRIES = 5


def fetch_in_spans(
    url: str,
    destination: Path,
    *,
    expected: Expected = ANYTHING,
    advance: Advance,
    least: int = LEAST_BYTES,
    backoff: float = 1.0,
) -> Path:
    """Like `fetch`, in spans if the file is large enough and its server lets us.

    Args:
        url: address of the file.
        destination: final path.
        expected: size and checksum, where known.
        advance: is told the number of bytes that came; negative if they are dropped again.
        least: bytes from which a file is divided.
        backoff: pause in seconds after the first failed try.

    Raises:
        SourceError: the file is missing, refused, or not the expected one.
        SvfapError: this machine cannot store it.
    """
    whole = Partial(destination.with_name(destination.name + ".part"), advance)
    spans = [] if destination.exists() or whole.size else _spans(url, least)
    if not spans:
        return fetch(url, destination, expected=expected, advance=advance, backoff=backoff)
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        pieces = [_piece(destination, span, advance) for span in spans]
        missing = sum(span.size for span in spans) - sum(piece.size for piece in pieces)
        check_space(url, destination.parent, missing)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            jobs = [pool.submit(persist, url, piece, tries=TRIES, backoff=backoff)
                    for piece in pieces]  # fmt: skip
            for job in jobs:
                job.result()
        _join(pieces)
        verify(url, pieces[0], expected)
        pieces[0].path.replace(destination)
        pieces[0].sidecar.unlink()
    except OSError as error:
        why = f"cannot be stored as {destination} ({error.strerror})"
        raise SvfapError(f"{url}: {why}; check its permissions and free space") from None
    return destination


def _spans(url: str, least: int) -> list[Span]:
    """Equal spans of a large file; none if the server gives no ranges of a known state of it."""
    try:
        with request(url, {"Range": "bytes=0-0"}) as answer:
            place = CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
            validator = validator_of(answer.headers)
            partial = answer.status == 206
    except (HTTPError, Interrupted):
        return []
    if not (place and validator and partial) or int(place["total"]) < least:
        return []
    total = int(place["total"])
    starts = [total * number // AT_ONCE for number in range(AT_ONCE + 1)]
    return [Span(first, after - 1, validator) for first, after in pairwise(starts)]


def _piece(destination: Path, span: Span, advance: Advance) -> Partial:
    """The beginning of a span; one that was being joined, or of another state, is dropped."""
    path = destination.with_name(f"{destination.name}.part.{span.first}-{span.last}")
    piece = Partial(path, advance, span)
    note = piece.sidecar.read_text(encoding="utf-8") if piece.sidecar.exists() else ""
    if piece.size > span.size or note.partition("\n")[2] != span.validator:
        piece.discard()
    advance(piece.size)
    return piece


def _join(pieces: list[Partial]) -> None:
    """Append all pieces to the first one."""
    with pieces[0].path.open("ab") as whole:
        for piece in pieces[1:]:
            with piece.path.open("rb") as part:
                shutil.copyfileobj(part, whole, 1 << 20)
            piece.path.unlink()
            piece.sidecar.unlink()
