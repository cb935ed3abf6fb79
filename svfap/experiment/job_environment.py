"""The environment that the workflow's jobs inherit, and the resources that a profile gives them."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from svfap.errors import SvfapError

# Variables by which launchers of several processes, such as torchrun, tell each process its place.
PLACE_VARIABLES = (
    *("WORLD_SIZE", "RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "ROLE_RANK"),
    *("MASTER_ADDR", "MASTER_PORT"),
)
TORCHRUN = "TORCHELASTIC_RUN_ID"  # set in each process that torchrun starts


def forget_other_launchers(*, launching: bool = False) -> str:
    """Remove a launcher's variables from the environment, unless torchrun started this process.

    Kubeflow and others leave `WORLD_SIZE` and `RANK` in the environment of a container, also if it
    runs one process. A stage that believed them would wait forever for the others, or take itself
    for a process that writes no files. `svfap.launch` starts several processes by torchrun only.

    Args:
        launching: whether this process starts the processes of a stage, so that variables of
            torchrun are left over, too.

    Returns:
        A warning if the variables name a place among several processes, else "".
    """
    if TORCHRUN in os.environ and not launching:
        return ""
    found = {name: os.environ.pop(name) for name in PLACE_VARIABLES if name in os.environ}
    if launching:
        os.environ.pop(TORCHRUN, None)
    place = [f"{name}={found[name]}" for name in ("WORLD_SIZE", "RANK") if name in found]
    if (found.get("WORLD_SIZE", "1"), found.get("RANK", "0")) == ("1", "0"):
        return ""
    return (
        f"{' '.join(place)} in the environment is of another launcher and is ignored; for several"
        " processes, reserve GPUs with Snakemake or use python -m svfap.launch"
    )


def put_interpreter_first() -> None:
    """Let jobs that call `python` run this interpreter, also if its environment is not activated.

    It changes `PATH` of this process. A prefix of the shell command would come after conda's
    activation, and so replace the interpreter of a conda environment.
    """
    folder = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join((folder, os.environ.get("PATH", os.defpath)))


def refuse_old_resources(
    of_all: Mapping[str, Any] | None, of_rules: Mapping[str, Mapping[str, Any]] | None
) -> None:
    """Refuse `gpus`, which was this workflow's name for the number of GPUs.

    Args:
        of_all: what `resources:` or `default-resources:` of a profile sets.
        of_rules: rule -> what `set-resources:` sets.

    Raises:
        SvfapError: one of them sets `gpus`, which no rule would read.
    """
    if any("gpus" in given for given in (of_all or {}, *(of_rules or {}).values())):
        raise SvfapError(
            "profile: rename `gpus` to `gpu`, Snakemake's name, which counts the GPUs of all nodes;"
            " for SLURM, delete `gres: gpu:...` too and name a kind of GPU in `gpu_model`"
        )
