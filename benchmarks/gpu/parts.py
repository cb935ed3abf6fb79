"""The parts, each in a process of its own: a part that fails or hangs does not stop the others."""

import contextlib
import importlib
import logging
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterable

from benchmarks.gpu.results import Row, update
from benchmarks.gpu.setting import Setting

# Part -> its share of the time that is left for it and the parts after it. Each part is the module
# of the same name; later parts use the shards, and the compiled kernels, of earlier ones.
PARTS = {
    "peak": 0.06,
    "shards": 0.10,
    "agree": 0.12,
    "steps": 0.60,
    "profile": 0.30,
    "training": 0.70,
    "loading": 0.65,
    "resume": 1.0,
}
LOG = "log.txt"

Measure = Callable[[Setting], Iterable[Row]]

logger = logging.getLogger(__name__)


def run_all(setting: Setting, seconds: float, chosen: Collection[str] = PARTS.keys()) -> bool:
    """Run the chosen parts within a time; return whether each of them ended without an error."""
    end, errors = time.monotonic() + seconds, 0
    for name, share in PARTS.items():
        if name not in chosen:
            continue
        measure: Measure = importlib.import_module(f"benchmarks.gpu.{name}").measure
        left = share * (end - time.monotonic())
        logger.info("%s, at most %.0f s ...", name, left)
        error = run_part(setting, name, measure, seconds=left)
        if error is not None:
            logger.warning("%s: %s; see %s", name, error, setting.out / LOG)
            errors += 1
    return errors == 0


def has_gpu() -> bool:
    """Return whether torch sees a GPU; a forked process looks, so that this one can still fork."""
    process = multiprocessing.get_context("fork").Process(target=_exit_without_gpu)
    process.start()
    process.join()
    return process.exitcode == 0


def _exit_without_gpu() -> None:
    import torch

    sys.exit(0 if torch.cuda.is_available() else 1)


def run_part(setting: Setting, name: str, measure: Measure, *, seconds: float) -> str | None:
    """Run a part in a forked process, which has all imports already; return its error, if any.

    Only a process that has not used the GPU can fork processes that do.
    """
    start = time.monotonic()
    update(setting.out, name, rows=[], error="did not end")
    fork = multiprocessing.get_context("fork")
    process = fork.Process(target=_run, args=(setting, name, measure))
    process.start()
    process.join(max(1.0, seconds))
    error = f"ended with exit code {process.exitcode}" if process.exitcode else None
    if process.is_alive():
        error = f"stopped after {seconds:.0f} s"
        # The part's own processes are in its session, which has the number of the process.
        if process.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.join()
    update(setting.out, name, error=error, seconds=time.monotonic() - start)
    return error


def _run(setting: Setting, name: str, measure: Measure) -> None:
    """Write each row of a part to the results as soon as it is measured; messages go to the log."""
    os.setsid()
    with (setting.out / LOG).open("a", encoding="utf-8") as log:
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())
    print(f"--- {name}", flush=True)
    found: list[Row] = []
    for row in measure(setting):
        found.append(row)
        update(setting.out, name, rows=found)
