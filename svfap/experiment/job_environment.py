"""The environment that the workflow's jobs inherit."""

import os
import sys
from pathlib import Path

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
