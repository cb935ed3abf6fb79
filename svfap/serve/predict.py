"""`POST /predict`: receive a video, have it scored, answer, and keep nothing."""

import asyncio
import contextlib
import json
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from svfap.serve.gate import refusal_response
from svfap.serve.options import read_format, read_options
from svfap.serve.pool import WorkerPool
from svfap.serve.refusal import Limits, Refused
from svfap.serve.upload import Upload, drain, receive_upload

T = TypeVar("T")
Tell = Callable[[dict[str, Any]], Awaitable[None]]

SCORES = "scores.json"
_MEDIA = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "mp4": "video/mp4",
    "zip": "application/zip",
}
_CHUNK = 1 << 18  # bytes of a file to send at a time


class PredictEndpoint:
    """Answers `POST /predict`.

    Args:
        pool: the workers.
        limits: how much the server takes on.
        work: folder for the files of requests, removed with each.
        keep: folder in which results are kept; None keeps nothing.
    """

    def __init__(
        self, pool: WorkerPool, limits: Limits, *, work: Path, keep: Path | None = None
    ) -> None:
        self._pool, self._limits, self._work, self._keep = pool, limits, work, keep

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Receive, score and answer; a refused upload is read on for a while."""
        request = Request(scope, receive)
        try:
            with self._pool.admit(), tempfile.TemporaryDirectory(dir=self._work) as folder:
                read_format(request.query_params)
                read_options(request.query_params)  # before a long upload
                upload = await receive_upload(request, Path(folder), self._limits)
                given = {**request.query_params, **upload.fields}
                form, options = read_format(given), read_options(given)
                job = {"options": options, "format": form, "seconds": self._limits.seconds}
                if form == "stream":
                    await _unless_gone(receive, self._stream(job, upload, send))
                    return
                names = await _unless_gone(receive, self._score(job, upload, _tell_nobody))
                response = _response(form, Path(folder) / "out", names)
                await response(scope, receive, send)
        except ClientDisconnect:
            return
        except Refused as refused:
            await drain(request)
            await refusal_response(refused)(scope, receive, send)

    async def _score(self, job: dict[str, Any], upload: Upload, tell: Tell) -> list[str]:
        """Have a video scored; return the names of the files in the folder `out`."""
        folder = upload.path.with_name("out")
        folder.mkdir()
        place = {"do": "score", "path": str(upload.path), "name": upload.name}
        request = job | place | {"folder": str(folder)}
        await tell({"stage": "waiting", "ahead": self._pool.waiting})
        names: list[str] = []
        try:
            async with self._pool.lend() as worker, asyncio.timeout(self._limits.timeout):
                async for answer in worker.ask(request):
                    if "progress" in answer:
                        await tell(answer["progress"])
                    names = answer.get("done", names)
        except TimeoutError:
            raise Refused(
                504, f"scoring took longer than {self._limits.timeout:g} s, the server's limit"
            ) from None
        if self._keep is not None:
            try:
                await asyncio.to_thread(_keep, folder, self._keep / Path(upload.name).stem)
            except OSError as error:
                reason = f"scored, but the server cannot keep the results ({error.strerror})"
                raise Refused(507, reason) from None
        return names

    async def _stream(self, job: dict[str, Any], upload: Upload, send: Send) -> None:
        """Answer with lines of JSON on the progress; then the scores, and the files after them."""

        async def write(data: bytes, *, more: bool = True) -> None:
            await send({"type": "http.response.body", "body": data, "more_body": more})

        async def tell(line: dict[str, Any]) -> None:
            await write(json.dumps(line).encode() + b"\n")

        media = [(b"content-type", b"application/x-ndjson")]
        await send({"type": "http.response.start", "status": 200, "headers": media})
        try:
            names = await self._score(job, upload, tell)
        except Refused as refused:
            await tell({"error": refused.reason, "status": refused.status})
        else:
            folder = upload.path.with_name("out")
            scores = json.loads((folder / SCORES).read_text("utf-8"))
            sizes = [{"name": name, "bytes": (folder / name).stat().st_size} for name in names]
            await tell({"result": scores, "files": sizes})
            for name in names:
                with (folder / name).open("rb") as file:
                    while data := file.read(_CHUNK):
                        await write(data)
        await write(b"", more=False)


async def _tell_nobody(_: dict[str, Any]) -> None:
    """Take a message on the progress."""


async def _unless_gone(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """Do some work; give it up when the sender of the request has gone.

    Raises:
        ClientDisconnect: the sender has gone.
    """
    task = asyncio.create_task(work)
    watch = asyncio.create_task(_gone(receive))
    try:
        await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        for each in (task, watch):
            each.cancel()
        await asyncio.gather(task, watch, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _response(form: str, folder: Path, names: list[str]) -> Response:
    """Return the file of a format."""
    name = SCORES if form == "json" else next(n for n in names if n.endswith(f".{form}"))
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
    return FileResponse(
        folder / name, media_type=_MEDIA[form], headers={} if form == "json" else headers
    )


def _keep(folder: Path, place: Path) -> None:
    """Copy results to a folder of a new name."""
    number, free = 1, place
    while True:
        with contextlib.suppress(FileExistsError):
            free.mkdir(parents=True)
            break
        number += 1
        free = place.with_name(f"{place.name} ({number})")
    shutil.copytree(folder, free, dirs_exist_ok=True)
