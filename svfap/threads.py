"""Threads of this process that leave the cores to others while they wait."""

import os
import sys


def wait_passively() -> None:
    """Let OpenMP's threads sleep while they wait, unless the user has chosen otherwise.

    By default they spin. As soon as something else runs on one of the cores, each parallel loop
    waits for the thread that has no core, while the others burn theirs (`benchmarks/README.md`).
    The OpenMP runtime reads the variable when torch is imported; later this function has no effect.
    """
    if "torch" not in sys.modules:
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
