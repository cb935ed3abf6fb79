"""Time on a device: seconds per call, waiting for the GPU's work."""

import time
from collections.abc import Callable

import torch

from benchmarks.common import device_clock, spread

ROUNDS = 3


def now() -> float:
    """Return the time of day in seconds, on a GPU once it has finished its work."""
    return device_clock() if torch.cuda.is_available() else time.perf_counter()


def seconds_per_call(call: Callable[[], object], *, window: float) -> dict[str, float]:
    """Measure a function in rounds of equally many calls.

    Args:
        call: the function; it may queue work on the GPU without waiting for it.
        window: seconds that all rounds take together, except for functions that take longer.

    Returns:
        `median`, `least` and `greatest` seconds per call of a round.
    """
    for _ in range(2):
        _timed(call, 1)  # memory is allocated and clocks rise
    calls = max(1, int(window / ROUNDS / _timed(call, 1)))
    rounds = [_timed(call, calls) / calls for _ in range(ROUNDS)]
    return spread(rounds)


def _timed(call: Callable[[], object], calls: int) -> float:
    start = now()
    for _ in range(calls):
        call()
    return now() - start
