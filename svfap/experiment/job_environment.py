"""The environment that the workflow's jobs inherit."""

import os
import sys
from pathlib import Path


def put_interpreter_first() -> None:
    """Let jobs that call `python` run this interpreter, also if its environment is not activated.

    It changes `PATH` of this process. A prefix of the shell command would come after conda's
    activation, and so replace the interpreter of a conda environment.
    """
    folder = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join((folder, os.environ.get("PATH", os.defpath)))
