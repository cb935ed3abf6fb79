"""Ctrl-C before and after the work of a program: one line, or nothing, but no traceback.

Before, the program ends at once, since nothing has begun. After, it ends anyway.
"""

import atexit
import os
import signal
import sys
from types import FrameType

RESUMES = "svfap: interrupted; the same command resumes"


def end_at_once() -> None:
    """Let Ctrl-C end this process with a line, unless it is ignored, as in a background job."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def raise_again() -> None:
    """Undo `end_at_once`: from here on Ctrl-C raises KeyboardInterrupt."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def raise_once() -> None:
    """Let the first Ctrl-C raise KeyboardInterrupt, and later ones do nothing.

    Snakemake (9.27) ends its jobs after the first; a second one would interrupt that.
    """
    if signal.getsignal(signal.SIGINT) in (_end, signal.default_int_handler):
        signal.signal(signal.SIGINT, _raise_first)


def ignore() -> None:
    """Ignore Ctrl-C: this process ends already, and a traceback of that would tell nothing."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _end(number: int, _: FrameType | None) -> None:
    """End this process without running the code that it is in the middle of."""
    os.write(2, b"svfap: error: interrupted\n")
    os._exit(128 + number)


def _raise_first(number: int, frame: FrameType | None) -> None:
    ignore()
    atexit.register(print, RESUMES, file=sys.stderr)  # after all that Snakemake has to say
    signal.default_int_handler(number, frame)
