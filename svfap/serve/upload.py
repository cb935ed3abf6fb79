"""Receive a video into a file, never whole into memory: as a form, or as the bare body."""

import asyncio
import contextlib
import errno
import time
import unicodedata
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from starlette.requests import ClientDisconnect, Request
from werkzeug.exceptions import HTTPException
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from svfap.serve.refusal import Limits, Refused

FIELD = "video"  # of the form
_STALLED = 60.0  # seconds without a byte after which an upload counts as broken
_DRAIN = 5.0  # seconds to go on reading an upload that is refused
_MOST_FIELDS = 32
_MOST_TEXT = 10_000  # bytes of a field of text
_LONGEST_NAME = 100


@dataclass
class Upload:
    """A received video.

    Attributes:
        path: the file.
        name: the user's name of it, safe to write and show.
        fields: the other fields of the form.
    """

    path: Path
    name: str = ""
    fields: dict[str, str] = field(default_factory=dict)


async def receive_upload(request: Request, folder: Path, limits: Limits) -> Upload:
    """Receive the video of a request into a folder.

    Raises:
        Refused: the upload is too large, empty, broken, or has another form.
        ClientDisconnect: the sender has gone.
    """
    kind, parameters = parse_options_header(request.headers.get("content-type", ""))
    if kind == "application/json":
        raise Refused(415, f"JSON holds no video; send it in the field {FIELD!r} of a form, or as"
                      " the body")  # fmt: skip
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Refused(415, "the upload is compressed; send the video as it is, without"
                      " Content-Encoding")  # fmt: skip
    most = int(limits.megabytes * 1e6)
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most + _MOST_TEXT * _MOST_FIELDS:
        raise _too_large(limits)
    upload = Upload(folder / "upload")
    try:
        with upload.path.open("wb") as file:
            chunks = _limited(request, limits)
            if kind == "multipart/form-data":
                await _receive_form(chunks, parameters.get("boundary", ""), upload, file)
            else:
                upload.name = request.query_params.get("name", "video")
                async for chunk in chunks:
                    file.write(chunk)
            size = file.tell()
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise Refused(507, "the server has no room for the upload; try again later") from None
    if not size:
        raise Refused(400, f"the upload is empty; send a video in the field {FIELD!r} of a form,"
                      " or as the body")  # fmt: skip
    upload.name = safe_name(upload.name)
    return upload


async def drain(request: Request) -> None:
    """Read the rest of a refused upload for a while: most clients read no answer before its end."""
    until = time.monotonic() + _DRAIN
    with contextlib.suppress(ClientDisconnect, TimeoutError, RuntimeError):
        async with asyncio.timeout(_DRAIN):
            async for _ in request.stream():
                if time.monotonic() > until:
                    break


def safe_name(name: str) -> str:
    """Return a file's name without its folders and without what cannot be shown."""
    last = name.replace("\\", "/").rpartition("/")[2]
    shown = "".join(c for c in last if unicodedata.category(c)[0] != "C").strip(" .")
    stem, dot, suffix = shown.rpartition(".")
    if not dot or len(suffix) > 10:
        stem, suffix = shown, ""
    short = stem.encode()[:_LONGEST_NAME].decode(errors="ignore")
    return f"{short or 'video'}{dot and suffix and '.' + suffix}"


async def _limited(request: Request, limits: Limits) -> AsyncIterator[bytes]:
    """Yield the body in chunks, unless it is too large or comes to a halt."""
    size, chunks = 0, request.stream()
    while True:
        try:
            chunk = await asyncio.wait_for(anext(chunks), _STALLED)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise Refused(408, f"the upload has stopped for {_STALLED:.0f} s") from None
        size += len(chunk)
        if size > limits.megabytes * 1e6:
            raise _too_large(limits)
        yield chunk


async def _receive_form(
    chunks: AsyncIterator[bytes], boundary: str, upload: Upload, file: BinaryIO
) -> None:
    """Write the file of a form, and keep its fields of text."""
    decoder = MultipartDecoder(boundary.encode(), max_parts=_MOST_FIELDS)
    parts = _Parts(upload, file)
    try:
        async for chunk in chunks:
            decoder.receive_data(chunk)
            while not isinstance(event := decoder.next_event(), NeedData | Epilogue):
                parts.take(event)
        decoder.receive_data(None)
        decoder.next_event()
    except (HTTPException, ValueError):
        raise Refused(400, "the form is broken; send multipart/form-data") from None
    if not upload.name:
        raise Refused(400, f"the form has no file in the field {FIELD!r}")


class _Parts:
    """Puts the parts of a form where they belong."""

    def __init__(self, upload: Upload, file: BinaryIO) -> None:
        self._upload, self._file = upload, file
        self._field = ""  # name of the present field; empty inside the file

    def take(self, event: object) -> None:
        """Take the head of a part, or some of its data."""
        upload = self._upload
        if isinstance(event, File):
            if event.name != FIELD:
                raise Refused(400, f"no field {event.name!r} for a file; the file is {FIELD!r}")
            if upload.name:
                raise Refused(400, "several files; send one video with each request")
            upload.name, self._field = event.filename or "video", ""
        elif isinstance(event, Field):
            if event.name == FIELD:
                raise Refused(400, f"the field {FIELD!r} holds a text, not a file")
            self._field = event.name
            upload.fields[event.name] = ""
        elif isinstance(event, Data) and self._field:
            upload.fields[self._field] += event.data.decode(errors="replace")
            if len(upload.fields[self._field]) > _MOST_TEXT:
                raise Refused(400, f"the field {self._field!r} is too long")
        elif isinstance(event, Data):
            self._file.write(event.data)


def _too_large(limits: Limits) -> Refused:
    return Refused(413, f"the upload is larger than {limits.megabytes:g} MB, the server's limit")
