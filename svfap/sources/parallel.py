"""Many downloads side by side, with one bar for all of their bytes."""

import logging
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from svfap.progress import Progress
from svfap.sources.http import fetch
from svfap.sources.partial import ANYTHING, Expected, check_space
from svfap.sources.source_error import SourceError
from svfap.sources.spans import fetch_in_spans

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


class _Meter:
    """One bar for several threads."""

    def __init__(self, label: str, total: int) -> None:
        self.progress = Progress(label=f"download {label}", total=total, unit="file")
        self.lock = threading.Lock()

    def receive(self, count: int) -> None:
        """Bytes have come, or been dropped."""
        with self.lock:
            self.progress.receive(count)

    def finish(self) -> None:
        """A file is there."""
        with self.lock:
            self.progress.advance()


def fetch_all(
    remotes: Iterable[Remote | Callable[[], Remote]], *, total: int, label: str
) -> list[Path]:
    """Download files, a few at a time; a single one in spans; what is there already stays.

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
    meter = _Meter(label, total)
    one = partial(_fetch, meter=meter, alone=len(files) == 1)
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
            meter.progress.close()
    if failed:
        reasons = "; ".join(failed[:REASONS_SHOWN])
        raise SourceError(f"{label}: {len(failed)} of {total} files cannot be had: {reasons}")
    return paths


def _fetch(file: Remote | Callable[[], Remote], *, meter: _Meter, alone: bool) -> Path:
    remote = file if isinstance(file, Remote) else file()
    get = fetch_in_spans if alone else fetch
    path = get(remote.url, remote.destination, expected=remote.expected, advance=meter.receive)
    meter.finish()
    return path


def _check_room(remotes: list[Remote], label: str) -> None:
    """Refuse to begin what the disk cannot hold."""
    lacking = [remote for remote in remotes if not remote.destination.exists()]
    if lacking:
        folder = lacking[0].destination.parent
        folder.mkdir(parents=True, exist_ok=True)
        check_space(label, folder, sum(remote.expected.size or 0 for remote in lacking))
