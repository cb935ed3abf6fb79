"""Many downloads side by side, with one bar for all of their bytes."""

import logging
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from svfap.progress import Progress
from svfap.sources.errors import SourceError
from svfap.sources.http import fetch
from svfap.sources.partial import ANYTHING, Expected, check_space

AT_ONCE = 4
REASONS_SHOWN = 2

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Remote:
    """A file that is to be downloaded.

    Attributes:
        url: its address.
        destination: where it is to lie.
        expected: its size and checksum, where known.
    """

    url: str
    destination: Path
    expected: Expected = ANYTHING


def fetch_all(
    remotes: Iterable[Remote | Callable[[], Remote]], *, total: int, label: str
) -> list[Path]:
    """Download files, a few at a time; what is there already stays.

    Args:
        remotes: the files, or functions that find out about them when their turn comes.
        total: how many there are.
        label: what they are of.

    Returns:
        Their paths, in order.

    Raises:
        SourceError: some cannot be had, and all others are there.
        SvfapError: the disk is too small.
    """
    files = list(remotes)
    _check_room([file for file in files if isinstance(file, Remote)], label)
    progress = Progress(label=f"download {label}", total=total, unit="file")
    lock = threading.Lock()

    def one(file: Remote | Callable[[], Remote]) -> Path:
        remote = file if isinstance(file, Remote) else file()
        path = fetch(remote.url, remote.destination, expected=remote.expected, advance=received)
        with lock:
            progress.advance()
        return path

    def received(count: int) -> None:
        with lock:
            progress.receive(count)

    failed: list[str] = []
    paths: list[Path] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = [pool.submit(one, file) for file in files]
        try:
            for job in jobs:
                try:
                    paths.append(job.result())
                except SourceError as error:
                    failed.append(str(error))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        finally:
            progress.close()
    if failed:
        reasons = "; ".join(failed[:REASONS_SHOWN])
        raise SourceError(f"{label}: {len(failed)} of {total} files cannot be had: {reasons}")
    return paths


def _check_room(remotes: list[Remote], label: str) -> None:
    """Refuse to begin what the disk cannot hold."""
    lacking = [remote for remote in remotes if not remote.destination.exists()]
    if lacking:
        folder = lacking[0].destination.parent
        folder.mkdir(parents=True, exist_ok=True)
        check_space(label, folder, sum(remote.expected.size or 0 for remote in lacking))
