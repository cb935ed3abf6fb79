"""Download many files in parallel, with one progress bar for all of their bytes."""

import logging
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from svfap.progress import Progress
from svfap.sources.http import fetch
from svfap.sources.partial import ANYTHING, Expected, check_space
from svfap.sources.source_error import SourceError
from svfap.sources.spans import fetch_in_spans

PARALLEL_DOWNLOADS = 4  # more would strain the servers of universities
REASONS_SHOWN = 2

logger = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True)
class RemoteFile:
    """A file to download.

    Attributes:
        url: its address.
        destination: path at which to store it.
        expected: its size and checksum, where known.
    """

    url: str
    destination: Path
    expected: Expected = ANYTHING


class _SharedProgress:
    """One progress bar that several threads update."""

    def __init__(self, label: str, total: int) -> None:
        self.progress = Progress(label=f"download {label}", total=total, unit="file")
        self.lock = threading.Lock()

    def add_bytes(self, count: int) -> None:
        """Add received bytes; a negative count subtracts discarded ones."""
        with self.lock:
            self.progress.receive(count)

    def finish_file(self) -> None:
        """Count a finished file."""
        with self.lock:
            self.progress.advance()


def run_all(tasks: Iterable[Callable[[], T]]) -> list[T | SourceError]:
    """Run download tasks, a few at a time, and return the result or SourceError of each, in order.

    Any other error stops the run: tasks that have not started are cancelled.
    """
    results: list[T | SourceError] = []
    with ThreadPoolExecutor(PARALLEL_DOWNLOADS) as pool:
        jobs = [pool.submit(task) for task in tasks]
        try:
            for job in jobs:
                try:
                    results.append(job.result())
                except SourceError as error:
                    results.append(error)
        except BaseException:
            # Without this, leaving the `with` block would first run all remaining tasks.
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return results


def fetch_all(
    files: Iterable[RemoteFile | Callable[[], RemoteFile]], *, total: int, label: str
) -> list[Path]:
    """Download files, a few at a time, or a single file in spans; skip files that exist.

    Args:
        files: the files, or functions that look a file up just before its download.
        total: number of files.
        label: name of the dataset, for messages.

    Returns:
        The paths of the files, in order.

    Raises:
        SourceError: some files cannot be downloaded; all other files were.
        SvfapError: the disk is too small.
    """
    files = list(files)
    _check_space([file for file in files if isinstance(file, RemoteFile)], label)
    shared = _SharedProgress(label, total)
    fetch_one = partial(_fetch, shared=shared, alone=len(files) == 1)
    try:
        results = run_all(partial(fetch_one, file) for file in files)
    finally:
        shared.progress.close()
    failed = [str(result) for result in results if isinstance(result, SourceError)]
    if failed:
        reasons = "; ".join(failed[:REASONS_SHOWN])
        raise SourceError(f"{label}: {len(failed)} of {total} files not downloaded: {reasons}")
    return [result for result in results if isinstance(result, Path)]


def _fetch(
    file: RemoteFile | Callable[[], RemoteFile], *, shared: _SharedProgress, alone: bool
) -> Path:
    """Download one file; a file that is downloaded alone uses all connections for its spans."""
    remote = file if isinstance(file, RemoteFile) else file()
    get = fetch_in_spans if alone else fetch
    path = get(remote.url, remote.destination, expected=remote.expected, advance=shared.add_bytes)
    shared.finish_file()
    return path


def _check_space(files: list[RemoteFile], label: str) -> None:
    """Raise SvfapError before the first download if the disk cannot hold all missing files."""
    missing = [file for file in files if not file.destination.exists()]
    if missing:
        folder = missing[0].destination.parent
        folder.mkdir(parents=True, exist_ok=True)
        check_space(label, folder, sum(file.expected.size or 0 for file in missing))
