"""No command writes over its input, whatever its flags say, or finds out late that it cannot write.

Files are compared by device and inode. This finds an input behind a symbolic or hard link, and
behind another spelling on a file system that ignores case.
"""

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from svfap.errors import SvfapError

FileId = tuple[int, int]


def keep_inputs(inputs: Iterable[Path], outputs: Iterable[Path]) -> None:
    """Raise if writing the outputs would replace an input.

    Args:
        inputs: files that a command reads.
        outputs: files that the command writes, which need not exist.

    Raises:
        SvfapError: an output is an input; the message names both.
    """
    read = {_id(path): path for path in inputs}
    read.pop(None, None)
    for output in outputs:
        source = read.get(_id(output))
        if source is not None:
            raise SvfapError(
                f"{output}: is the input {source}, which is never overwritten; choose another"
                " output"
            )


def keep_apart(folder: Path, inputs: Iterable[Path]) -> None:
    """Raise if a folder to write into holds an input at any depth.

    Args:
        folder: the folder to write into, which need not exist.
        inputs: files and folders that a command reads.

    Raises:
        SvfapError: an input is the folder or lies below it.
    """
    chosen = _id(folder)
    ids: dict[Path, FileId | None] = {}
    for path in inputs if chosen else ():
        for way in (path.absolute(), path.resolve()):  # the link's own place, and its target's
            for place in (way, *way.parents):
                if place not in ids:
                    ids[place] = _id(place)
                if ids[place] == chosen:
                    raise SvfapError(
                        f"{folder}: holds the input {path}; choose a folder apart from the input"
                    )


def check_writable(folder: Path) -> None:
    """Check that files can be written into a folder, or that it can be created with its parents.

    Raises:
        SvfapError: it cannot, because of a file in its place, rights, or a full or read-only disk.
    """
    try:
        there = next(
            each for each in (folder.absolute(), *folder.absolute().parents) if each.exists()
        )
        # Rights alone do not tell: the disk may be read-only or full, or no real one, such as /sys.
        with TemporaryDirectory(prefix=".svfap-", dir=there):
            pass
    except OSError as error:
        raise SvfapError(
            f"{folder}: cannot be written ({error.strerror}); choose a folder that you may write to"
        ) from None


def _id(path: Path) -> FileId | None:
    """Return device and inode of a file, with links followed; None if there is no file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
