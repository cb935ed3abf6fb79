"""Write files whole or not at all: under a temporary name first, then renamed.

Snakemake deletes the declared outputs of a job before it starts and after it fails. Work that must
survive is therefore not declared. Declared are links to it, which cost nothing and are made when
the work is done. Where only declared files travel, a copy of the work takes the place of the link.
"""

import errno
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from svfap.errors import SvfapError

# Declared folders beside the tables of face clips and of shards.
FACES_FOLDER = "face_clips"
TARS_FOLDER = "tars"
# What FAT, network shares and mounted cloud drives answer.
NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


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


def link(path: Path, target: Path) -> None:
    """Make `path` a link to a file or folder, in place of an earlier link or file.

    The link is relative, so that both can be moved together. A folder on the way may be a link.

    Raises:
        OSError: the link cannot be made; the earlier one is unchanged.
        SvfapError: the file system has no links.
    """
    with replacing(path) as partial:
        place = target.parent.resolve() / target.name
        _symlink(partial, os.path.relpath(place, path.parent.resolve()))


def link_files(folder: Path, files: Iterable[tuple[str, Path]]) -> None:
    """Make a folder of links, in place of an earlier one.

    A folder among the targets becomes a folder of links, because programs that copy a folder follow
    links to files only.

    Args:
        folder: the folder to make.
        files: path of each link below the folder, and its target; missing targets are left out.

    Raises:
        OSError: a link cannot be made.
        SvfapError: the file system has no links.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, target in files:
        place = folder / name
        if target.is_dir():
            place.mkdir(parents=True)
            for file in target.iterdir():
                _symlink(place / file.name, file.absolute())
        elif target.exists():
            place.parent.mkdir(exist_ok=True)
            _symlink(place, target.absolute())


def _symlink(path: Path, target: Path | str) -> None:
    try:
        path.symlink_to(target)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        raise SvfapError(
            f"{path.parent}: this file system has no symbolic links; choose folders on another one,"
            " such as a local disk, with the keys `data` and `results`"
        ) from None


def arrived(path: Path) -> bool:
    """Return whether a path is a copy that has travelled, and no link of `link_files`."""
    if path.is_dir():
        return not any(file.is_symlink() for file in path.iterdir())
    return path.is_file() and not path.is_symlink()


def here(path: Path, folder: Path) -> Path:
    """Return a file where its stage wrote it, or else its copy in the declared folder."""
    copy = folder / path.name
    return path if path.exists() or not copy.exists() else copy
