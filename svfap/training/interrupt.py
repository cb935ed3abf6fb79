"""Ask a run to stop by a signal, and let it finish the step and save first."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


@contextlib.contextmanager
def stop_requests() -> Iterator[list[int]]:
    """Collect the numbers of stop signals that arrive meanwhile; an empty list means go on."""
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return

    def receive(number: int, _: FrameType | None) -> None:
        received.append(number)

    previous = {number: signal.signal(number, receive) for number in STOP_SIGNALS}
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def exit_status(received: list[int]) -> int:
    """Status of a run that stopped on request, 128 + n; of another process's request, SIGTERM's."""
    return 128 + (received[0] if received else signal.SIGTERM)
