"""The cameras of browsers: each has a worker of its own while it sends pictures."""

import asyncio
import contextlib
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from svfap.serve.pool import WorkerPool, WorkerProcess
from svfap.serve.refusal import Refused, busy

_IDLE = 10.0  # seconds without a picture after which a camera has ended
_REMEMBERED = 100  # cameras that were ended last, whose late pictures are refused
_ENDED = "this camera has ended; start it under another name"


@dataclass
class _Session:
    worker: WorkerProcess
    lease: contextlib.AsyncExitStack
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)  # one picture at a time
    used: float = field(default_factory=time.monotonic)


class Cameras:
    """Lends a worker to each camera.

    Args:
        pool: the workers of cameras; they start with the first picture.
        most: most cameras at the same time.
    """

    def __init__(self, pool: WorkerPool, *, most: int) -> None:
        self._pool, self._most = pool, most
        self._sessions: dict[str, _Session] = {}
        self._opening = asyncio.Lock()
        self._ended: deque[str] = deque(maxlen=_REMEMBERED)

    async def see(self, name: str, request: dict[str, Any], jpeg: bytes) -> dict[str, Any]:
        """Return what `LiveSession.see` does for the next picture of a camera.

        Args:
            name: what the browser calls its camera, at random.
            request: the time and the options of the picture.
            jpeg: the picture.

        Raises:
            Refused: too many cameras, the camera has ended, or the picture cannot be read.
        """
        async with self._opening:
            new = name not in self._sessions
            session = await self._open(name) if new else self._sessions[name]
        async with session.lock:
            if self._sessions.get(name) is not session:  # ended while this picture waited
                raise Refused(410, _ENDED)
            session.used = time.monotonic()
            try:
                answers = session.worker.ask(request | {"do": "live", "new": new}, jpeg)
                (answer,) = [each async for each in answers]
            except BaseException as error:
                self._sessions.pop(name, None)
                with contextlib.suppress(type(error)):
                    await session.lease.__aexit__(type(error), error, error.__traceback__)
                raise
        result: dict[str, Any] = answer["done"]
        return result

    async def end_idle(self) -> None:
        """End cameras that send no more pictures, until cancelled."""
        while True:
            await asyncio.sleep(_IDLE / 5)
            for name, session in [*self._sessions.items()]:
                if not session.lock.locked() and time.monotonic() - session.used > _IDLE:
                    await self._close(name)

    async def end(self, name: str) -> None:
        """End a camera; a picture of it that arrives later is refused."""
        self._ended.append(name)
        await self._close(name)

    async def _close(self, name: str) -> None:
        if session := self._sessions.pop(name, None):
            async with session.lock:
                await session.lease.aclose()

    async def _open(self, name: str) -> _Session:
        if name in self._ended:
            raise Refused(410, _ENDED)
        if len(self._sessions) >= self._most:
            raise busy(f"{len(self._sessions)} cameras are being scored already")
        lease = contextlib.AsyncExitStack()
        session = _Session(await lease.enter_async_context(self._pool.lend()), lease)
        self._sessions[name] = session
        return session
