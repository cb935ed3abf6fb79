"""The queue of records for MLflow: stages add records, and one process per machine writes them.

Importing MLflow takes seconds of CPU time, so one writer does it for a whole pipeline. A stage
queues its record as a ticket: a small file in a folder of the user. The stage keeps the ticket
locked while it runs, and the writer deletes the ticket after it has written the whole record.

A lock ends with its process (see `locks`), so a killed stage or writer needs no clean-up. A writer
holds a lock of its own, which it inherits from the stage that
starts it, so a second writer cannot start. If a writer is killed, the next stage starts another,
which finds all tickets that are left.
"""

import contextlib
import hashlib
import json
import os
import stat
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from svfap.redact import redacted
from svfap.tracking import locks

POLL_SECONDS = 0.05
TICKETS = "*.ticket"
QUEUE_LOCK = "gate"  # earlier versions use this name too, and share the folder
LOCK, LOG = "writer.lock", "writer.log"


@dataclass(frozen=True)
class Ticket:
    """A queued record.

    Attributes:
        path: the ticket's file; the writer removes it when the record is written or given up.
        uri: address of the MLflow to write to.
        file: the open ticket, locked while its stage runs.
    """

    path: Path
    uri: str
    file: IO[str]

    def failure(self) -> str:
        """Return why the record does not reach MLflow; empty if it does."""
        note = failure_note(self.path)
        return note.read_text(encoding="utf-8") if note.is_file() else ""

    def close(self) -> None:
        """Release the ticket; the writer does the rest."""
        failure_note(self.path).unlink(missing_ok=True)
        locks.release(self.path)
        self.file.close()

    def wait_for_writer(self, seconds: float) -> bool:
        """Wait at most some seconds until the writer is done; return whether it is done.

        Replace the writer if it was killed.
        """
        end = time.monotonic() + seconds
        while self.path.exists() and time.monotonic() < end:
            _start_writer(self.path.parent, self.uri)
            time.sleep(POLL_SECONDS)
        return not self.path.exists()


def queue(record: Path, uri: str) -> Ticket:
    """Queue a record: the writer copies it to MLflow until its stage ends.

    Raises:
        OSError: the folder of the tickets cannot be written.
    """
    folder = ticket_folder(uri)
    _make_private(folder.parent)
    folder.mkdir(exist_ok=True)
    # The time comes first, so that sorted names are in the order of queueing.
    path = folder / f"{time.time_ns()}-{uuid.uuid4().hex}.ticket"
    # The file gets its final name only when it is written and locked: the writer believes that the
    # stage of an unlocked ticket was killed.
    file = path.with_suffix(".new").open("w", encoding="utf-8")
    locks.try_lock(file)
    file.write(json.dumps(str(record.absolute())))
    file.flush()
    with queue_lock(folder):
        path.with_suffix(".new").rename(path)
        _start_writer(folder, uri)
    return Ticket(path, uri, file)


def tickets(folder: Path) -> list[Path]:
    """Return all tickets of a folder, oldest first."""
    return sorted(folder.glob(TICKETS))


def failure_note(ticket: Path) -> Path:
    """Return the path of the file in which the writer says why it cannot write."""
    return ticket.with_suffix(".failure")


def record_of(ticket: Path) -> Path:
    """Return the path of a ticket's record."""
    return Path(json.loads(ticket.read_text(encoding="utf-8")))


def is_stage_running(ticket: Path) -> bool:
    """Return whether the stage that queued a record still runs."""
    with ticket.open(encoding="utf-8") as file:
        if not locks.try_lock(file):
            return True
    locks.release(ticket)
    return False


@contextlib.contextmanager
def queue_lock(folder: Path) -> Iterator[None]:
    """Lock the queue: while the block runs, no stage adds a ticket and no writer quits.

    Without this lock, a writer could find the queue empty and quit, while a stage adds a ticket and
    starts no other writer because this one is still running.
    """
    with locks.locked(folder / QUEUE_LOCK):
        yield


def ticket_folder(uri: str) -> Path:
    """Return the folder of the tickets of this user on this machine, for one MLflow.

    Its name has a digest of the address, because not every address can be a file name. The list of
    processes shows the name, so the digest is of the address without its password.
    """
    digest = hashlib.sha256(redacted(uri).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"svfap-{os.getuid()}" / digest


def _make_private(folder: Path) -> None:
    """Create a folder for this user alone; raise OSError if somebody else has made it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.lstat()
    if status.st_uid != os.getuid() or not stat.S_ISDIR(status.st_mode):
        raise PermissionError(f"{folder} belongs to another user; set TMPDIR to a folder of yours")
    folder.chmod(0o700)


def _start_writer(folder: Path, uri: str) -> None:
    """Start the writer unless one is running."""
    with (folder / LOCK).open("w") as lock:
        if not locks.try_lock(lock):
            return
        # Parent and child share the open file, to which the lock belongs. Closing the file here
        # does not release the lock; the end of the writer does.
        os.set_inheritable(lock.fileno(), True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        # Nobody waits for the writer, and `subprocess.Popen` warns of a child that outlives it. So
        # use `posix_spawn`. The streams are replaced, because the writer outlives the stage and a
        # shell's `stage | tee` ends only when every process has closed the pipe.
        writer = os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", "svfap.tracking.mlflow_writer", str(folder), str(lock.fileno())],
            os.environ | {"MLFLOW_TRACKING_URI": uri},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(folder / LOG), flags, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,  # Ctrl-C and a scheduler's signals to the stage's group do not reach it
        )
        locks.hand_over(folder / LOCK, writer)
