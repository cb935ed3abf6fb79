"""The machine of a forecast: a preset of machines.csv, or this machine, with the user's figures."""

import csv
import difflib
import os
import subprocess
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from svfap.config.section import Section
from svfap.config.yaml_file import parse
from svfap.errors import SvfapError

PRESETS = Path(__file__).with_name("machines.csv")


class Machine(Section):
    """A machine, or a cluster of equal machines."""

    name: str
    nodes: int = Field(default=1, ge=1, description="number of machines")
    cpus: int = Field(ge=1, description="cores of each machine")
    gpus: int = Field(default=0, ge=0, description="GPUs of each machine")
    tflops: float = Field(default=0, ge=0, description="peak of a GPU, 1e12 operations per second")
    network: float = Field(default=100, gt=0, description="MB/s from outside, of all machines")
    source: str = Field(default="", description="source of the figures")

    @model_validator(mode="after")
    def _known_speed(self) -> "Machine":
        if self.gpus and not self.tflops:
            raise ValueError("add --gpu-tflops, the peak of a GPU in BF16, or choose a --machine")
        return self

    @property
    def text(self) -> str:
        """The machine in words."""
        gpus = f"{self.gpus} x GPU of {self.tflops:g} TFLOP/s" if self.gpus else "no GPU"
        each = f"{self.cpus} CPUs, {gpus}"
        machines = f"{self.nodes} x ({each})" if self.nodes > 1 else each
        return f"{self.name}: {machines}, {self.network:g} MB/s from outside"


def presets() -> dict[str, dict[str, str]]:
    """Return the fields of each machine in machines.csv."""
    with PRESETS.open(newline="", encoding="utf-8") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def choose_machine(name: str | None, changes: dict[str, Any]) -> Machine:
    """Return a preset, or this machine, with some fields changed.

    Raises:
        SvfapError: the preset is unknown, or a field is wrong.
    """
    known = presets()
    if name is not None and name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
        raise SvfapError(
            f"--machine: unknown '{name}'; did you mean '{near}'? Known: {', '.join(known)};"
            " or give --cpus, --gpus and --gpu-tflops"
        )
    # `sched_getaffinity` obeys taskset and SLURM on Linux; macOS lacks it.
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    here: dict[str, Any] = {"name": "own figures", "cpus": cpus}
    if not changes:
        here = {"name": "this machine", "cpus": cpus, **_known_gpus()}
    return parse(Machine, (known[name] if name else here) | changes, where="machine")


def gpus_here() -> list[str]:
    """Return the names of this machine's GPUs, as NVIDIA's driver lists them, without torch."""
    query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


def _known_gpus() -> dict[str, Any]:
    """Return number and speed of this machine's GPUs; nothing for a GPU without a preset."""
    names = gpus_here()
    for preset, row in presets().items():
        model = preset.partition("x")[0] if "rtx" not in preset else preset[3:7]
        if names and model in names[0].casefold():
            return {"gpus": len(names), "tflops": row["tflops"], "source": row["source"]}
    return {}
