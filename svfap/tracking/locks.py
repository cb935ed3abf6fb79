"""Locks that a process loses when it ends, also on file systems without `flock(2)`.

The kernel releases a `flock` when its process dies, so nothing needs a clean-up. Some file systems
(Lustre in its default, some NFS) refuse it. There, a file `NAME.owner` beside the locked file names
the process that holds the lock: host, process id and the time at which the process began. Whoever
finds an owner that is dead takes its lock.
"""

import contextlib
import errno
import fcntl
import os
import socket
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

NO_FLOCK = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}
POLL_SECONDS = 0.02
# A process of another host cannot be asked whether it lives. Hosts share only locks that are held
# for moments, so an owner this old is dead.
FOREIGN_SECONDS = 120.0


@contextlib.contextmanager
def locked(path: Path, mode: str = "w") -> Iterator[None]:
    """Hold the lock of a file while the block runs; wait for it."""
    with path.open(mode) as file:
        while not try_lock(file):
            time.sleep(POLL_SECONDS)
        try:
            yield
        finally:
            release(path)


def try_lock(file: IO[Any]) -> bool:
    """Lock an open file if nobody else has; return whether it is locked now.

    The lock ends when every process that has inherited the open file has closed it, or by `release`
    on a file system without flock.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in NO_FLOCK:
            raise
        return _take(_owner(Path(file.name)))
    return True


def release(path: Path) -> None:
    """Release a lock on a file system without flock; elsewhere, closing the file releases it."""
    _owner(path).unlink(missing_ok=True)


def hand_over(path: Path, process: int) -> None:
    """Make a child that has inherited the locked file the owner of its lock."""
    if _owner(path).exists():
        _written(_owner(path), process).replace(_owner(path))


def _owner(path: Path) -> Path:
    # The owner's file keeps its name when the locked file is renamed to another suffix.
    return path.with_suffix(".owner")


def _take(owner: Path) -> bool:
    """Create the owner's file, which names this process, unless its process lives."""
    new = _written(owner, os.getpid())
    try:
        os.link(new, owner)  # fails if there is an owner, and the file appears with its content
    except FileExistsError:
        if _lives(owner):
            return False
        with contextlib.suppress(FileNotFoundError, FileExistsError):
            owner.rename(new)
            if _lives(new):  # another process has taken the lock since: give it back
                os.link(new, owner)
        return _take(owner)
    finally:
        new.unlink(missing_ok=True)
    return True


def _written(owner: Path, process: int) -> Path:
    """Return a new file beside an owner's file, which names a process."""
    path = owner.with_name(f"{owner.name}.{uuid.uuid4().hex}")
    path.write_text(f"{socket.gethostname()} {process} {_began(process)}", encoding="utf-8")
    return path


def _lives(owner: Path) -> bool:
    """Return whether the process that an owner's file names still runs."""
    try:
        host, process, began = owner.read_text(encoding="utf-8").rsplit(" ", 2)
        if host != socket.gethostname():
            return time.time() - owner.stat().st_mtime < FOREIGN_SECONDS
        return _began(int(process)) == began
    except FileNotFoundError:
        return True  # released meanwhile; the next try finds out
    except ValueError:
        return False  # damaged


def _began(process: int) -> str:
    """Return the time at which a running process began, in ticks since the start of the machine.

    It tells a process from a later one with the same id. Without `/proc`, the answer is "unknown"
    for every running process. It is "gone" for one that does not run.
    """
    try:
        # The fields follow the name, which may contain anything: state, then 18 others, then time.
        fields = Path(f"/proc/{process}/stat").read_text("utf-8", "replace").rpartition(")")[2]
    except OSError:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return "gone"
        except PermissionError:
            pass
        return "unknown" if not Path("/proc/self").exists() else "gone"
    return "gone" if fields.split()[0] in "ZX" else fields.split()[19]
