"""Choose the device that a loaded model computes on, and let it survive a fork."""

import os
import re
from functools import cache

import torch

from svfap.errors import SvfapError
from svfap.training import distributed

_NAME = re.compile(r"(cpu|cuda|mps)(:\d{1,3})?")


def choose_device(wanted: str | torch.device | None) -> torch.device:
    """Return the device of this name; without one, a GPU if there is one, else the CPU.

    Raises:
        SvfapError: the name is no device, or this machine has no such device.
    """
    if wanted is None:
        return distributed.device()
    here = _devices_here()
    advice = f"choose one of {', '.join(here)}"
    if not isinstance(wanted, str | torch.device) or not _NAME.fullmatch(str(wanted)):
        raise SvfapError(f"device is {wanted!r}, which is not cpu, cuda, cuda:N or mps; {advice}")
    chosen = torch.device(wanted)
    if chosen.type != "cpu" and str(wanted) not in here:
        raise SvfapError(f"device {str(wanted)!r} is not on this machine; {advice}")
    return chosen


def _devices_here() -> list[str]:
    """Return the names of this machine's devices; `cuda` and `mps` alone name the first."""
    names = ["cpu"]
    if torch.cuda.is_available():
        names += ["cuda", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        names += ["mps", "mps:0"]
    return names


@cache
def survive_fork() -> None:
    """Make forked processes compute in one thread.

    A server may load the model, score once to warm up, and then fork its workers. A worker has only
    the thread that forked; OpenMP would wait forever for the others.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))
