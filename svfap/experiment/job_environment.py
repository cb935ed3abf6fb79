"""The environment that the workflow's jobs inherit, and the resources that a profile gives them."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from svfap.errors import SvfapError


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
