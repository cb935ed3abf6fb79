"""Jobs that share nothing: `pods.py submit SCRIPT` starts one in an empty folder.

A job gets a clean environment with the paths of the interpreter, as if these were its image.
`pods.py status FOLDER` prints `running`, `success` or `failed`.
"""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

KEPT = ("PATH", "LANG", "PYTHONPATH", "TMPDIR", "OMP_NUM_THREADS", "AWS_CONFIG_FILE")
ENDED = ".ended"


def submit(script: str) -> str:
    """Start a job; return its folder, which names it."""
    folder = Path(tempfile.mkdtemp(prefix="pod", dir=os.environ["PODS"]))
    environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    command = f'sh "$0" > .log 2>&1; echo $? > {ENDED}.part; mv {ENDED}.part {ENDED}'
    content = folder / ".script"
    content.write_text(Path(script).read_text())
    process = subprocess.Popen(
        ["sh", "-c", command, content.name],
        cwd=folder,
        env=environment | {"HOME": str(folder)},
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    (folder / ".pid").write_text(str(process.pid))
    return str(folder)


def status(folder: str) -> str:
    """Return the state of a job; a job whose processes are gone has failed."""
    ended = Path(folder) / ENDED
    if ended.is_file():
        return "success" if ended.read_text().strip() == "0" else "failed"
    return "running" if _alive(Path(folder)) else "failed"


def evict(folder: Path) -> None:
    """End a job without a warning and with all its processes, as a cloud takes a machine back."""
    os.killpg(int((folder / ".pid").read_text()), signal.SIGKILL)


def _alive(folder: Path) -> bool:
    try:
        os.killpg(int((folder / ".pid").read_text()), 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    print({"submit": submit, "status": status}[sys.argv[1]](sys.argv[2]))
