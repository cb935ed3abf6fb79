"""Stop signals: a run finishes its step and saves before it exits."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

# Ctrl-C; the workflow manager or a container that ends; Slurm some time before a job's limit
# (`workflow/profiles/slurm` asks for SIGUSR1).
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


@contextlib.contextmanager
def collect_stop_signals() -> Iterator[list[int]]:
    """Collect the numbers of stop signals instead of ending; yields the growing list."""
    received: list[int] = []
    # Python allows signal handlers in the main thread only; elsewhere the list stays empty.
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
    """Return 128 + n for the first signal n; SIGTERM's status if another process received it."""
    return 128 + (received[0] if received else signal.SIGTERM)
