"""A bounded number of worker processes; a request that breaks one gets the next a fresh one."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

from svfap.errors import SvfapError
from svfap.serve import messages
from svfap.serve.refusal import Refused, busy

_LONGEST_LINE = 1_000_000  # bytes of an answer
_DIED = (
    "the process that scored this request has ended ({how}); the video may crash the decoder or"
    " need too much memory; the server goes on"
)


class WorkerProcess:
    """A process that has loaded the model, see `svfap.serve.worker`.

    Args:
        model: what `svfap.load` takes.
        threads: threads of the process.
    """

    def __init__(self, model: str, *, threads: int) -> None:
        self._model = model
        self._environment = {"OMP_NUM_THREADS": str(threads)} | os.environ
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> dict[str, Any]:
        """Start the process unless it runs; return what it says about the model.

        Raises:
            SvfapError: the model cannot be loaded.
            Refused: the process has ended while it loaded the model.
        """
        if self._process is not None and self._process.returncode is None:
            return {}
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "svfap.serve.worker", self._model),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LONGEST_LINE,
            env=self._environment,
        )
        answer = await self._receive()
        if "error" in answer:
            raise SvfapError(answer["error"])
        return answer

    async def ask(self, request: dict[str, Any], body: bytes = b"") -> AsyncIterator[Any]:
        """Yield messages on the progress of a request, and its result last.

        Raises:
            Refused: the worker refuses the request, fails, or dies.
        """
        assert self._process is not None
        assert self._process.stdin is not None
        with contextlib.suppress(ConnectionError):  # reading tells that the process has ended
            self._process.stdin.write(messages.encode(request, body))
            await self._process.stdin.drain()
        while True:
            answer = await self._receive()
            if "rejected" in answer:
                raise Refused(422, answer["rejected"])
            if "failed" in answer:
                raise Refused(500, f"scoring failed: {answer['failed']}; the server's log has more")
            yield answer
            if "done" in answer:
                return

    async def _receive(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            status = await self._process.wait()
            how = f"signal {-status}" if status < 0 else f"status {status}"
            raise Refused(500, _DIED.format(how=how))
        answer: dict[str, Any] = json.loads(line)
        return answer

    def kill(self) -> None:
        """End the process at once, if it runs."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def ended(self) -> None:
        """Wait until the process has ended."""
        if self._process is not None:
            await self._process.wait()


class WorkerPool:
    """Worker processes, lent to one request at a time.

    Args:
        model: what `svfap.load` takes.
        size: number of processes.
        queue: most requests that wait for one.

    Attributes:
        waiting: number of requests that wait for a worker.
    """

    def __init__(self, model: str, *, size: int, queue: int) -> None:
        threads = max(1, (os.cpu_count() or 1) // size)
        self._workers = [WorkerProcess(model, threads=threads) for _ in range(size)]
        self._free: asyncio.LifoQueue[WorkerProcess] = asyncio.LifoQueue()
        for worker in reversed(self._workers):
            self._free.put_nowait(worker)
        self._admitted, self._most = 0, size + queue
        self.waiting = 0

    async def start(self) -> dict[str, Any]:
        """Start all processes; return what they say about the model.

        Raises:
            SvfapError: the model cannot be loaded.
        """
        first, *_ = await asyncio.gather(*(worker.start() for worker in self._workers))
        return first

    @contextlib.contextmanager
    def admit(self) -> Iterator[None]:
        """Hold a place in the queue.

        Raises:
            Refused: the queue is full.
        """
        if self._admitted >= self._most:
            raise busy(f"{self._admitted} requests are waiting already")
        self._admitted += 1
        try:
            yield
        finally:
            self._admitted -= 1

    @contextlib.asynccontextmanager
    async def lend(self) -> AsyncIterator[WorkerProcess]:
        """Lend a worker; one whose request ends early, by an error or a timeout, is ended too."""
        self.waiting += 1
        try:
            worker = await self._free.get()
        finally:
            self.waiting -= 1
        try:
            await worker.start()
            yield worker
        except Refused:
            raise  # the worker has answered, or has died
        except BaseException:
            worker.kill()
            await asyncio.shield(worker.ended())
            raise
        finally:
            self._free.put_nowait(worker)

    async def close(self) -> None:
        """End all processes."""
        for worker in self._workers:
            worker.kill()
        await asyncio.gather(*(worker.ended() for worker in self._workers))
