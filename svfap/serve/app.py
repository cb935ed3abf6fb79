"""The addresses of the server: the page, the API, and what describes it."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from svfap.serve.cameras import Cameras
from svfap.serve.gate import Gate, refusal_response
from svfap.serve.openapi import description
from svfap.serve.options import read_options
from svfap.serve.pool import WorkerPool
from svfap.serve.predict import PredictEndpoint
from svfap.serve.refusal import Limits, Refused

_FOLDER = Path(__file__).parent
_MOST_JPEG = 8_000_000  # bytes of a camera's picture
_LONGEST_CAMERA = 100  # letters of a camera's name


@dataclass(frozen=True)
class Place:
    """Where the server listens, who may use it, and where it puts files.

    Attributes:
        port: the port.
        token: the token; empty if none is needed.
        work: folder for the files of requests, which lasts as long as the server.
        keep: folder in which results are kept; None keeps nothing.
    """

    port: int
    token: str
    work: Path
    keep: Path | None = None


class Pages:
    """Answers everything but `POST /predict`.

    Args:
        pool: the workers of videos.
        cameras: the cameras of browsers.
        model: what a worker says about the model.
        limits: how much the server takes on.
    """

    def __init__(
        self, pool: WorkerPool, cameras: Cameras, model: dict[str, Any], limits: Limits
    ) -> None:
        self._pool, self._cameras, self._limits = pool, cameras, limits
        self._model = model | {"limits": {"megabytes": limits.megabytes, "seconds": limits.seconds}}

    async def page(self, _: Request) -> Response:
        """Return the page."""
        return FileResponse(_FOLDER / "page.html")

    async def script(self, _: Request) -> Response:
        """Return the script of the page."""
        return FileResponse(_FOLDER / "page.js")

    async def docs(self, _: Request) -> Response:
        """Return the page that shows the description of the API."""
        return FileResponse(_FOLDER / "docs.html")

    async def openapi(self, _: Request) -> Response:
        """Return the description of the API."""
        return JSONResponse(description(self._limits))

    async def model(self, _: Request) -> Response:
        """Return facts about the model."""
        return JSONResponse(self._model)

    async def health(self, _: Request) -> Response:
        """Tell that the server works, and how many requests wait."""
        return JSONResponse({"status": "ok", "waiting": self._pool.waiting})

    async def live(self, request: Request) -> Response:
        """Score the next picture of a camera, or end the camera."""
        query = request.query_params
        if request.method == "DELETE":
            await self._cameras.end(query.get("camera", ""))
            return Response(status_code=204)
        options = read_options(query, ignore=frozenset({"camera", "taken"}))
        camera = query.get("camera", "")
        if not 0 < len(camera) <= _LONGEST_CAMERA:
            raise Refused(400, "name the camera at random, as in camera=x7f3")
        try:
            taken = float(query.get("taken", ""))
        except ValueError:
            taken = math.nan
        if not math.isfinite(taken):
            raise Refused(400, "say when the picture was taken, in seconds, as in taken=1.25")
        jpeg = bytearray()
        async for chunk in request.stream():
            jpeg += chunk
            if len(jpeg) > _MOST_JPEG:
                raise Refused(413, f"a picture has at most {_MOST_JPEG / 1e6:g} MB")
        seen = await self._cameras.see(camera, {"taken": taken, "options": options}, bytes(jpeg))
        return JSONResponse(seen)


def make_app(pool: WorkerPool, cameras: Cameras, model: dict[str, Any],
             limits: Limits, place: Place) -> Gate:  # fmt: skip
    """Return the application.

    Args:
        pool: the workers of videos, which have started.
        cameras: the cameras of browsers.
        model: what a worker says about the model.
        limits: how much the server takes on.
        place: where the server listens, and where it puts files.
    """
    pages = Pages(pool, cameras, model, limits)
    predict = PredictEndpoint(pool, limits, work=place.work, keep=place.keep)
    routes = [
        Route("/", pages.page),
        Route("/page.js", pages.script),
        Route("/docs", pages.docs),
        Route("/openapi.json", pages.openapi),
        Route("/model", pages.model),
        Route("/health", pages.health),
        Route("/predict", predict, methods=["POST"]),
        Route("/live", pages.live, methods=["POST", "DELETE"]),
    ]
    handlers: dict[Any, Any] = {Refused: _refuse, HTTPException: _explain, Exception: _fail}
    app = Starlette(routes=routes, exception_handlers=handlers)
    return Gate(app, token=place.token, port=place.port)


async def _refuse(_: Request, refused: Refused) -> Response:
    return refusal_response(refused)


async def _explain(request: Request, error: HTTPException) -> Response:
    """Return JSON for an address or a method that does not exist."""
    reason = f"{request.method} {request.url.path}: {error.detail}; /docs lists every address"
    headers = error.headers or {}
    return refusal_response(Refused(error.status_code, reason, headers))


async def _fail(_: Request, error: Exception) -> Response:
    return refusal_response(Refused(500, f"an error of the server: {type(error).__name__}"))
