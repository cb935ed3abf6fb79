"""Writing files whole or not at all: beside their place first, then moved there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path, *, fsync: bool = False) -> Iterator[Path]:
    """A temporary name beside `path`, moved to `path` on success and removed otherwise.

    Args:
        path: the file to write; its folder must exist.
        fsync: wait until the content is on the disk, so that it outlives a loss of power too.

    Raises:
        OSError: the file cannot be written.
    """
    path = path.absolute()
    name = os.fsdecode(os.fsencode(path.name)[:200])  # of the 255 bytes that a name may have
    partial = path.with_name(f".{name}.{os.getpid()}.part")
    try:
        yield partial
        if fsync:
            with partial.open("rb+") as file:
                os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
