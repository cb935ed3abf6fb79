"""Stop signals: a run finishes its step and saves before it exits."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

# Ctrl-C sends the first signal. The workflow manager or an ending container sends the second. Slurm
# sends the third some time before a job's limit, as `workflow/profiles/slurm` requests.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


@contextlib.contextmanager
def collect_stop_signals() -> Iterator[list[int]]:
    """Collect the numbers of stop signals instead of exiting, and yield the growing list."""
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
    """Return 128 + n for the first signal n; SIGTERM's status if only another process has one."""
    return 128 + (received[0] if received else signal.SIGTERM)
