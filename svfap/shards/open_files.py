"""Shards that are open for reading: a limited number, the least recently used are closed."""

import functools
import os
import resource
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path

# Most files that one store keeps open. VoxCeleb2 has about 400 shards as JPEG, so each of its
# shards is opened once; as raw pixels it has 4,300, and most reads open a file.
MOST_OPEN = 512
# One store takes a quarter of the process's descriptors at most: a process may hold a second store,
# for validation, and needs descriptors for its loader processes and its libraries.
SHARE = 4


class OpenFile:
    """A file open for reading, closed when the last reference to it is gone.

    A reader holds a reference while it reads. So the file stays open until then, even if another
    thread makes the cache of `opener` forget it.

    Attributes:
        descriptor: for `pread` and `preadv` only. They take the position as an argument, so threads
            and forked processes can share a descriptor.
    """

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self.descriptor)


def opener(paths: Sequence[Path]) -> Callable[[int], OpenFile]:
    """Return a function that opens the file of a number, and keeps `file_limit` files open."""
    # This cache has no lock that a forked process could inherit locked. When it is full, it opens
    # the next file before it forgets the oldest.
    return functools.lru_cache(file_limit() - 1)(lambda number: OpenFile(paths[number]))


def file_limit() -> int:
    """Return the number of files that a store may keep open: `MOST_OPEN`, or less by `ulimit -n`.

    If the limit of this process is too low, it is raised as far as the system allows.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = SHARE * MOST_OPEN if hard == resource.RLIM_INFINITY else min(SHARE * MOST_OPEN, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(1, wanted // SHARE)
