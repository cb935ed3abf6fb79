"""The process that copies all queued records of this machine to MLflow (see `spool`)."""

import logging
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from svfap import redact
from svfap.tracking import locks, spool
from svfap.tracking.environment import tracking_uri
from svfap.tracking.mlflow_copy import MlflowServer, RunCopy, failure
from svfap.tracking.record import Event, append, parse

POLL_SECONDS = 0.3
RETRY_SECONDS = 30.0

logger = logging.getLogger("svfap")


@dataclass
class RecordFollower:
    """Reader that follows a record while it grows, and writes it to MLflow.

    Attributes:
        ticket: the record's ticket in the queue.
        copy: the run in MLflow; None until the server has answered.
        read: number of bytes read so far.
        pending: events that are read and not yet written.
        retry: earliest time at which a failed write is repeated.
    """

    ticket: Path
    copy: RunCopy | None = None
    read: int = 0
    pending: list[Event] = field(default_factory=list)
    retry: float = 0.0

    def __post_init__(self) -> None:
        self.record = spool.record_of(self.ticket)

    def poll(self) -> bool:
        """Read new events; return whether the run has ended."""
        # Ask this before reading: once the stage has ended, its last event is in the file.
        runs = spool.is_stage_running(self.ticket)
        with self.record.open("rb") as file:
            file.seek(self.read)
            complete = file.read().rpartition(b"\n")[0]  # the last line may be half written
        if complete:
            self.read += len(complete) + 1
            self.pending += parse(complete)
        if not runs and not self._ended():
            append(self.record, {"event": "end", "status": "KILLED", "artifacts": []})
            return self.poll()
        return self._ended()

    def _ended(self) -> bool:
        own = [e["event"] for e in self.pending if e["event"] in {"start", "metrics", "end"}]
        return bool(own) and own[-1] == "end"

    def write(self, server: MlflowServer) -> None:
        """Write pending events."""
        self.copy = self.copy or RunCopy(server, self.record)
        if self.pending:
            self.copy.write(self.pending)
            self.pending = []


class Writer:
    """Writer that serves all tickets of a folder until none is left."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.followers: dict[Path, RecordFollower] = {}
        self.server: MlflowServer | None = None

    def serve(self, lock: int) -> None:
        """Write until the queue is empty. Then release the writer's lock.

        Args:
            lock: file descriptor of the locked file.
        """
        while True:
            for ticket in spool.tickets(self.folder):
                if ticket not in self.followers:
                    self.followers[ticket] = RecordFollower(ticket)
            for follower in list(self.followers.values()):
                self._advance(follower)
            if not self.followers:
                with spool.queue_lock(self.folder):
                    if not spool.tickets(self.folder):
                        os.close(lock)
                        locks.release(self.folder / spool.LOCK)
                        return
            time.sleep(POLL_SECONDS)

    def _advance(self, follower: RecordFollower) -> None:
        """Read and write one record once; an error does not stop the other records."""
        ended = True
        try:
            ended = follower.poll()
            if ended or time.monotonic() > follower.retry:
                self.server = self.server or MlflowServer(tracking_uri())
                follower.write(self.server)
                spool.failure_note(follower.ticket).unlink(missing_ok=True)
        except Exception as error:  # MLflow raises exceptions of requests, SQLAlchemy and its own
            logger.exception("%s", follower.record)
            follower.retry = time.monotonic() + RETRY_SECONDS
            spool.failure_note(follower.ticket).write_text(failure(error), encoding="utf-8")
        # An ended run is tried once more and then given up; sync-tracking uploads it later.
        if ended:
            follower.ticket.unlink(missing_ok=True)
            del self.followers[follower.ticket]


def main() -> int:
    """Serve the tickets in argument FOLDER; argument LOCK is the descriptor of the locked file."""
    redact.install(logging.WARNING, "%(asctime)s %(message)s")
    Writer(Path(sys.argv[1])).serve(int(sys.argv[2]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
