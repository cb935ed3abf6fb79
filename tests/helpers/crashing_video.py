"""Videos that kill any process that reads them."""

import os
import signal
from pathlib import Path


class CrashingPath(type(Path())):
    """The path of a file on which a decoder crashes, simulated by a segmentation fault."""

    def stat(self, **_):
        os.kill(os.getpid(), signal.SIGSEGV)


# Python runs a `sitecustomize.py` on its path before the program.
CRASHING_OPEN = """
import os, signal, av
whole = av.open
def open_or_crash(file, *given, **named):
    if "NAME" in os.path.basename(file):
        os.kill(os.getpid(), signal.SIGSEGV)
    return whole(file, *given, **named)
av.open = open_or_crash
"""


def crashing_environment(folder: Path, *, name: str = "crash") -> dict[str, str]:
    """Return an environment in which a video with `name` in its name crashes FFmpeg's reader."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(CRASHING_OPEN.replace("NAME", name))
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    return os.environ | {"PYTHONPATH": path}
