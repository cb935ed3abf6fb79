"""Open the port, start the workers and serve until Ctrl-C."""

import asyncio
import contextlib
import errno
import logging
import signal
import socket
import tempfile
from pathlib import Path

import uvicorn

from svfap.errors import SvfapError
from svfap.serve.addresses import addresses
from svfap.serve.app import Place, make_app
from svfap.serve.cameras import Cameras
from svfap.serve.pool import WorkerPool
from svfap.serve.refusal import Limits

logger = logging.getLogger(__name__)


def serve(
    model: str, *, host: str, port: int, token: str, limits: Limits, keep: Path | None
) -> None:
    """Serve a model until Ctrl-C.

    Args:
        model: what `svfap.load` takes.
        host: address or name to listen on.
        port: port to listen on; 0 takes a free one.
        token: the token that requests need; empty if they need none.
        limits: how much the server takes on.
        keep: folder in which results are kept; None keeps nothing.

    Raises:
        SvfapError: the port or the model cannot be used.
    """
    with (
        _listen(host, port) as listener,
        tempfile.TemporaryDirectory(prefix="svfap-serve-") as work,
    ):
        # `kill` without -9 ends it as Ctrl-C does, so that no file is left.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        place = Place(listener.getsockname()[1], token, Path(work), keep)
        # Both end it: the first while the model is loaded or a video scored, the other otherwise.
        with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
            asyncio.run(_serve(model, listener, host, place, limits))


def _listen(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Raises:
        SvfapError: there is no such address, or the port is taken or not allowed.
    """
    try:
        family, *_, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address, family=family, backlog=512)
    except socket.gaierror:
        raise SvfapError(f"--host {host}: no such host; take 127.0.0.1 or 0.0.0.0") from None
    except OSError as error:
        advice = {
            errno.EADDRINUSE: "is in use; choose another, or end the program that uses it",
            errno.EACCES: "needs the rights of root; choose one above 1023",
        }
        if error.errno in advice:
            raise SvfapError(f"--port {port}: {advice[error.errno]}") from None
        raise SvfapError(f"--host {host}: not an address of this machine ({error.strerror})"
                         ) from None  # fmt: skip


async def _serve(
    model: str, listener: socket.socket, host: str, place: Place, limits: Limits
) -> None:
    pool = WorkerPool(model, size=limits.workers, queue=limits.queue)
    camera_pool = WorkerPool(model, size=limits.cameras, queue=0)
    cameras = Cameras(camera_pool, most=limits.cameras)
    idle = asyncio.create_task(cameras.end_idle())
    # It warns of a worker whose end it hears after the server's own.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    try:
        logger.info("loading %s, which takes up to a minute (Ctrl-C ends it)", model)
        facts = await pool.start()
        app = make_app(pool, cameras, facts, limits, place)
        # Requests in progress are given up at once. The lines of uvicorn would hold addresses.
        settings = uvicorn.Config(
            app, lifespan="off", log_config=None, access_log=False, server_header=False,
            timeout_graceful_shutdown=0,
        )  # fmt: skip
        logging.getLogger("uvicorn.error").addFilter(_no_chatter)
        shown = " or ".join(addresses(host, place.port, place.token))
        print(f"{facts['model']}: open {shown} (Ctrl-C ends the server)", flush=True)
        await uvicorn.Server(settings).serve([listener])
    finally:
        idle.cancel()
        await asyncio.gather(pool.close(), camera_pool.close())


def _no_chatter(record: logging.LogRecord) -> bool:
    """Keep the tracebacks of errors only: requests that the end of the server cancels are none."""
    return record.exc_info is not None and isinstance(record.exc_info[1], Exception)
