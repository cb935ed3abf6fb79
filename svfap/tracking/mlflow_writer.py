"""The process that follows all records handed over on this machine, and writes them to MLflow."""

import fcntl
import logging
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from svfap.tracking import spool
from svfap.tracking.mlflow_copy import Copy, Server
from svfap.tracking.record import Event, append, parse
from svfap.tracking.stage_run import tracking_uri

POLL_SECONDS = 0.3
RETRY_SECONDS = 30.0

logger = logging.getLogger("svfap")


@dataclass
class RecordFollower:
    """Reads a record while it grows.

    Attributes:
        ticket: stands for the record as long as it is followed.
        copy: writes; None until the server has answered.
        read: number of bytes that were read.
        pending: events that were read and are not written yet.
        retry: time of the next attempt, after one that failed.
    """

    ticket: Path
    copy: Copy | None = None
    read: int = 0
    pending: list[Event] = field(default_factory=list)
    retry: float = 0.0

    def __post_init__(self) -> None:
        self.record = spool.record_of(self.ticket)

    def poll(self) -> bool:
        """Read what is new; whether the run has ended."""
        alive = spool.is_held(self.ticket)
        with self.record.open("rb") as file:
            file.seek(self.read)
            whole = file.read().rpartition(b"\n")[0]
        if whole:
            self.read += len(whole) + 1
            self.pending += parse(whole)
        if not alive and not self._ended():
            append(self.record, {"event": "end", "status": "KILLED", "artifacts": []})
            return self.poll()
        return self._ended()

    def _ended(self) -> bool:
        own = [e["event"] for e in self.pending if e["event"] in {"start", "metrics", "end"}]
        return bool(own) and own[-1] == "end"

    def write(self, server: Server) -> None:
        """Write what is pending."""
        self.copy = self.copy or Copy(server, self.record)
        if self.pending:
            self.copy.write(self.pending)
            self.pending = []


class Writer:
    """Serves all tickets of a folder until there are none."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.followers: dict[Path, RecordFollower] = {}
        self.server: Server | None = None

    def serve(self, lock: int) -> None:
        """Write until nobody needs it, then give the lock back."""
        while True:
            for ticket in spool.tickets(self.folder):
                if ticket not in self.followers:
                    self.followers[ticket] = RecordFollower(ticket)
            for follower in list(self.followers.values()):
                self._advance(follower)
            if not self.followers:
                with spool.gate(self.folder):
                    if not spool.tickets(self.folder):
                        fcntl.flock(lock, fcntl.LOCK_UN)
                        return
            time.sleep(POLL_SECONDS)

    def _advance(self, follower: RecordFollower) -> None:
        """One round for one record: whatever happens, the others go on."""
        ended = True
        try:
            ended = follower.poll()
            if ended or time.monotonic() > follower.retry:
                self.server = self.server or Server(tracking_uri())
                follower.write(self.server)
                spool.failure_note(follower.ticket).unlink(missing_ok=True)
        except Exception as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            logger.exception("%s", follower.record)
            follower.retry = time.monotonic() + RETRY_SECONDS
            spool.failure_note(follower.ticket).write_text(reason, encoding="utf-8")
        if ended:
            follower.ticket.unlink(missing_ok=True)
            del self.followers[follower.ticket]


def main() -> int:
    """`FOLDER LOCK`: the folder of the tickets, and the open file that this process has locked."""
    logging.basicConfig(format="%(asctime)s %(message)s")
    Writer(Path(sys.argv[1])).serve(int(sys.argv[2]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
