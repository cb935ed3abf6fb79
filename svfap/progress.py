"""Progress for people: a bar on a terminal or in a notebook, lines every ten seconds in a log.

A program that shows progress in its own way listens with `listen`.
"""

import contextlib
import logging
import math
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from tqdm import TqdmWarning, tqdm

LINE_SECONDS = 10.0

logger = logging.getLogger(__name__)
T = TypeVar("T")
Listener = Callable[[str, int, int], None]  # takes label, steps done, and total
_listeners: list[Listener] = []


@contextlib.contextmanager
def listen(listener: Listener) -> Iterator[None]:
    """Call `listener` after each step of any progress, instead of showing it."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


class Progress:
    """Counts steps towards a total; shows the rate, the time left and the latest values."""

    def __init__(
        self, *, label: str, total: int, start: int = 0, unit: str = "step", shown: bool = True
    ) -> None:
        self.label, self.total, self.done, self.unit = label, total, start, unit
        self.start, self.start_time, self.received = start, time.monotonic(), 0
        shown = shown and not _listeners
        self.next_line = self.start_time + LINE_SECONDS if shown else math.inf
        self.bar = (
            _bar_class()(total=total, initial=start, desc=label, unit=unit, dynamic_ncols=True)
            if shown and (sys.stderr.isatty() or in_notebook())
            else None
        )

    def advance(self, *, figures: Mapping[str, float] | None = None) -> None:
        """Count a finished step and show `figures`, values by name, beside it."""
        self.done += 1
        for listener in _listeners:
            listener(self.label, self.done, self.total)
        shown = {name: f"{value:.4g}" for name, value in (figures or {}).items()}
        if self.bar is not None:
            self.bar.set_postfix(shown, refresh=False)
            self.bar.update()
        elif (now := time.monotonic()) > self.next_line or self.done == self.total:
            self.next_line = now + LINE_SECONDS
            rate = (self.done - self.start) / max(now - self.start_time, 1e-9)
            eta = tqdm.format_interval((self.total - self.done) / max(rate, 1e-9))
            extra = "".join(f"  {name} {value}" for name, value in shown.items())
            logger.info("%s %d/%d%s  ETA %s", self.label, self.done, self.total, extra, eta)

    def receive(self, count: int) -> None:
        """Count `count` received bytes, and show their sum beside the steps."""
        self.received += count
        size = f"{self.received / 1e6:,.0f} MB"
        if self.bar is not None:
            self.bar.set_postfix_str(size)
        elif (now := time.monotonic()) > self.next_line:
            self.next_line = now + LINE_SECONDS
            logger.info("%s %d/%d  %s", self.label, self.done, self.total, size)

    def close(self) -> None:
        """End the bar; the last state stays on the screen."""
        if self.bar is not None:
            self.bar.close()


def in_notebook() -> bool:
    """Return whether this is the kernel of a notebook."""
    # Nobody but a kernel has imported IPython.
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", None)
    shell = get_ipython() if get_ipython else None
    return "IPKernelApp" in getattr(shell, "config", {})


def _bar_class() -> "type[tqdm[Any]]":
    """Return the class of bars: in a notebook the one with widgets, if ipywidgets is installed."""
    if not in_notebook():
        return tqdm
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TqdmWarning)  # without ipywidgets, bars of text will do
        from tqdm.auto import tqdm as bar
    return bar


def track(items: Iterable[T], *, total: int, label: str, unit: str = "clip") -> Iterator[T]:
    """Yield the items, showing how many are done."""
    progress = Progress(label=label, total=total, unit=unit)
    try:
        for item in items:
            yield item
            progress.advance()
    finally:
        progress.close()
