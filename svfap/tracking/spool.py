"""One process per machine writes to MLflow; stages hand it their records through a folder.

Importing MLflow costs seconds of processor time, so it is done once for a whole pipeline. A record
is handed over as a ticket, a small file that its stage keeps locked while it runs, and that the
writer removes when all is written. The writer's own lock is inherited from whoever starts it: it
is never started twice, and a killed one is replaced by the next stage, which finds its tickets.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

POLL_SECONDS = 0.05
TICKETS = "*.ticket"
GATE, LOCK, LOG = "gate", "writer.lock", "writer.log"


@dataclass(frozen=True)
class Ticket:
    """A record that was handed over.

    Attributes:
        path: the ticket; gone when the record is written, or given up.
        uri: where the record is written to.
        file: the open ticket, locked while its stage lives.
    """

    path: Path
    uri: str
    file: IO[str]

    def failure(self) -> str:
        """Why the record does not reach MLflow; empty if it does."""
        note = failure_note(self.path)
        return note.read_text(encoding="utf-8") if note.is_file() else ""

    def close(self) -> None:
        """Leave the rest to the writer."""
        failure_note(self.path).unlink(missing_ok=True)
        self.file.close()

    def wait(self, seconds: float) -> bool:
        """Whether the writer is done within some seconds; a killed writer is replaced."""
        end = time.monotonic() + seconds
        while self.path.exists() and time.monotonic() < end:
            _start_writer(self.path.parent, self.uri)
            time.sleep(POLL_SECONDS)
        return not self.path.exists()


def hand_over(record: Path, uri: str) -> Ticket:
    """Have a record followed until its stage ends.

    Raises:
        OSError: the folder of the tickets cannot be written to.
    """
    folder = _folder(uri)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{time.time_ns()}-{uuid.uuid4().hex}.ticket"
    file = path.with_suffix(".new").open("w", encoding="utf-8")
    fcntl.flock(file, fcntl.LOCK_EX)
    file.write(json.dumps(str(record.absolute())))
    file.flush()
    with gate(folder):
        path.with_suffix(".new").rename(path)
        _start_writer(folder, uri)
    return Ticket(path, uri, file)


def tickets(folder: Path) -> list[Path]:
    """All tickets, oldest first."""
    return sorted(folder.glob(TICKETS))


def failure_note(ticket: Path) -> Path:
    """Where the writer says why it cannot write."""
    return ticket.with_suffix(".failure")


def record_of(ticket: Path) -> Path:
    """The record that a ticket stands for."""
    return Path(json.loads(ticket.read_text(encoding="utf-8")))


def is_held(ticket: Path) -> bool:
    """Whether the stage that handed a record over still lives."""
    with ticket.open(encoding="utf-8") as file:
        return not _lock(file)


@contextlib.contextmanager
def gate(folder: Path) -> Iterator[None]:
    """Nobody hands a record over, and no writer leaves, meanwhile."""
    with (folder / GATE).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _folder(uri: str) -> Path:
    """The tickets of a tracking server, of this user on this machine."""
    digest = hashlib.sha256(uri.encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"svfap-{os.getuid()}" / digest


def _lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _start_writer(folder: Path, uri: str) -> None:
    """Start the writer unless there is one; it inherits the lock that tells so.

    It outlives the stage, whose standard streams it must not keep open.
    """
    with (folder / LOCK).open("w") as lock:
        if not _lock(lock):
            return
        os.set_inheritable(lock.fileno(), True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", "svfap.tracking.mlflow_writer", str(folder), str(lock.fileno())],
            os.environ | {"MLFLOW_TRACKING_URI": uri},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(folder / LOG), flags, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
