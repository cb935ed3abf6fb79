"""Write files whole or not at all: under a temporary name first, then renamed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path, *, fsync: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` on success, else delete it.

    Args:
        path: the file to write; its folder must exist.
        fsync: wait until the content is on the disk, so that it survives a power failure.

    Raises:
        OSError: the file cannot be written.
    """
    path = path.absolute()
    # A name may have 255 bytes; 200 leave room for the dot, the process id and the suffix.
    name = os.fsdecode(os.fsencode(path.name)[:200])
    partial = path.with_name(f".{name}.{os.getpid()}.part")
    try:
        yield partial
        if fsync:
            # Sync before the rename: a power failure could otherwise leave an empty file at `path`.
            with partial.open("rb+") as file:
                os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
