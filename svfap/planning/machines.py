"""The machine that is planned for: a preset of machines.csv, or the user's own figures."""

import csv
import difflib
import os
from dataclasses import dataclass
from pathlib import Path

from svfap.errors import SvfapError

PRESETS = Path(__file__).with_name("machines.csv")


@dataclass(frozen=True)
class Machine:
    """A machine, or a cluster of equal ones.

    Attributes:
        name: of the preset, or "this machine".
        nodes: number of machines.
        cpus: cores of each.
        gpus: GPUs of each.
        tflops: peak of a GPU's dense matrix products in 1e12 operations a second.
        network: megabytes a second that come in from outside, over all machines.
        source: where the figures are from.
    """

    name: str
    nodes: int
    cpus: int
    gpus: int
    tflops: float
    network: float
    source: str

    def __post_init__(self) -> None:
        """Refuse what no machine is."""
        if min(self.nodes, self.cpus) < 1 or self.gpus < 0 or self.network <= 0:
            raise SvfapError("a machine needs 1 node, 1 CPU and some network at least")
        if self.gpus and self.tflops <= 0:
            raise SvfapError(
                "how fast are the GPUs? add --gpu-tflops, the peak in BF16, or a --machine"
            )

    @property
    def text(self) -> str:
        """The machine in words."""
        gpus = f", {self.gpus} x GPU of {self.tflops:g} TFLOP/s" if self.gpus else ", no GPU"
        each = (
            f"{self.nodes} x ({self.cpus} CPUs{gpus})"
            if self.nodes > 1
            else f"{self.cpus} CPUs{gpus}"
        )
        return f"{self.name}: {each}, {self.network:g} MB/s from outside"


def presets() -> dict[str, Machine]:
    """The machines that are known by name."""
    with PRESETS.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {
        row["name"]: Machine(
            row["name"], int(row["nodes"]), int(row["cpus"]), int(row["gpus"]),
            float(row["tflops"]), float(row["network"]), row["source"],
        )
        for row in rows
    }  # fmt: skip


def preset(name: str) -> Machine:
    """The machine of a name.

    Raises:
        SvfapError: there is none.
    """
    known = presets()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
        raise SvfapError(
            f"--machine: unknown '{name}'; did you mean '{near}'? Known: {', '.join(known)};"
            " or give --cpus, --gpus and --gpu-tflops"
        )
    return known[name]


def cpus() -> int:
    """CPUs that this process may use, where the system tells."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
