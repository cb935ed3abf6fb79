"""Archives are unpacked member by member: no path leads out of the folder, nothing is half there.

Tars, zips, zips in parts (`.zip.001`, `_partaa`, or `.z01` with a last part `.zip`) and zips with a
password.
`zipfile` decrypts the old ZipCrypto, slowly; AES needs `pyzipper`, because the standard library
has no AES. The password is read from `password.txt` beside the archive, so that it stands in no
configuration, log or process list.
"""

import errno
import logging
import os
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from svfap.errors import SvfapError
from svfap.progress import Progress
from svfap.replacing import replacing
from svfap.sources.partial import check_space
from svfap.sources.split_zip import AES, DAMAGED, LastPart, joined, open_zip

UNPACKED = ".unpacked"
PASSWORD = "password.txt"  # the name of a file
MAX_RATIO = 200
ZIPS = re.compile(r".*(\.zip|\.zip\.001|part_?aa)", re.IGNORECASE)
TARS = re.compile(r".*\.(tar|tar\.gz|tgz|tar\.bz2|tar\.xz)", re.IGNORECASE)
NESTED_LEVELS = 3
CHUNK_BYTES = 1 << 20
UNFIT = {errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST}  # names, not the disk

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Member:
    """A file in an archive.

    Attributes:
        name: its path there.
        size: bytes when unpacked.
        open: gives its content.
    """

    name: str
    size: int
    open: Callable[[], IO[bytes]]


def unpack_all(root: Path) -> None:
    """Unpack the archives below a root beside themselves, and those that come out of them.

    The note `.unpacked` lists what was done, so that an interrupted run is gone on with, and an
    archive that is added later is unpacked too. The archives are the user's and stay.

    Raises:
        SvfapError: see `unpack`.
    """
    note = root / UNPACKED
    done = {*note.read_text(encoding="utf-8").splitlines()} if note.exists() else set()
    for _ in range(NESTED_LEVELS):
        marks = {_mark(archive, root): archive for archive in archives_below(root)}
        for mark in sorted(marks.keys() - done):
            with note.open("a", encoding="utf-8") as file:
                unpack(marks[mark], marks[mark].parent)
                file.write(f"{mark}\n")
            done.add(mark)


def _mark(archive: Path, root: Path) -> str:
    """Tells an archive from all others and from itself when it changes."""
    return f"{archive.stat().st_size} {archive.relative_to(root).as_posix()}"


def unpack(
    archive: Path, folder: Path, *, keep: Callable[[str], bool] | None = None
) -> int:  # fmt: skip
    """Unpack an archive; files that are there already with the right size stay.

    Args:
        archive: a tar or zip; of a zip in parts the one that ends in `.zip`, `.zip.001` or `aa`.
        folder: where to; made if it is missing.
        keep: tells by its name whether a file is wanted; None: all are.

    Returns:
        The number of files of the archive that now lie in the folder.

    Raises:
        SvfapError: the archive is damaged, dangerous, incomplete or encrypted without the right
            password, or the disk is too small.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with _opened(archive) as members:
            kept = [member for member in members if keep is None or keep(member.name)]
            _refuse_danger(archive, kept)
            # Of several by one name the last counts, as when a tar was added to.
            wanted = {PurePosixPath(member.name): member for member in kept}.values()
            lacking = [member for member in wanted if not _is_done(folder, member)]
            check_space(str(archive), folder, sum(member.size for member in lacking))
            progress = Progress(label=f"unpack {archive.name}", total=len(lacking), unit="file")
            for member in lacking:
                _extract(member, folder / member.name)
                progress.advance()
            progress.close()
    except (*DAMAGED, tarfile.TarError, zlib.error, EOFError) as error:
        raise SvfapError(
            f"{archive}: damaged or not whole ({error}); delete it and get it anew"
        ) from None
    except OSError as error:
        if error.errno not in UNFIT:
            raise
        name = error.filename2 or error.filename
        raise SvfapError(
            f"{archive}: {name} cannot be written ({error.strerror}); unpack it by hand"
        ) from None
    return len(wanted)


def archives_below(root: Path) -> list[Path]:
    """Archives below a root, of one in parts the part to begin with."""
    found = []
    for parent, _, names in os.walk(root):
        found += [
            Path(parent, name) for name in names if ZIPS.fullmatch(name) or TARS.fullmatch(name)
        ]
    return sorted(found)


@contextmanager
def _opened(archive: Path) -> Iterator[Iterable[Member]]:
    """The files of an archive."""
    if ZIPS.fullmatch(archive.name):
        with (
            joined(archive) as (file, starts),
            open_zip(file, _password(archive)) as zipped,
        ):
            yield _zip_members(zipped, starts, archive)
    else:
        with tarfile.open(archive) as tar:
            yield _tar_members(tar, archive)


def _zip_members(zipped: zipfile.ZipFile, starts: LastPart, archive: Path) -> list[Member]:
    """The files of a zip, refusing links and a missing password."""
    members = []
    if any(info.flag_bits & 1 and info.compress_type != AES for info in zipped.infolist()):
        logger.info("%s: old encryption, about 1.5 MB/s; unpacking by 7-zip is faster", archive)
    for info in zipped.infolist():
        starts.correct(info)
        if stat.S_ISLNK(info.external_attr >> 16):
            raise SvfapError(f"{archive}: '{info.filename}' is a link; unpack it by hand")
        if info.flag_bits & 1 and not zipped.pwd:
            raise SvfapError(
                f"{archive}: is encrypted; write its password into {archive.parent / PASSWORD}"
            )
        if not info.is_dir():
            opener = _zip_opener(zipped, info, archive)
            members.append(Member(info.filename, info.file_size, opener))
    return members


def _zip_opener(
    zipped: zipfile.ZipFile, info: zipfile.ZipInfo, archive: Path
) -> Callable[[], IO[bytes]]:
    def opener() -> IO[bytes]:
        try:
            return zipped.open(info)
        except (RuntimeError, NotImplementedError) as error:
            reason = str(error).partition(" for file")[0]
            raise SvfapError(
                f"{archive}: {reason}; correct {archive.parent / PASSWORD}, or unpack it by hand"
            ) from None

    return opener


def _tar_members(tar: tarfile.TarFile, archive: Path) -> list[Member]:
    """The files of a tar, refusing links and devices."""
    members = []
    for info in tar:
        if not (info.isfile() or info.isdir()):
            raise SvfapError(f"{archive}: '{info.name}' is no plain file; unpack it by hand")
        if info.isfile():
            members.append(Member(info.name, info.size, _tar_opener(tar, info)))
    return members


def _tar_opener(tar: tarfile.TarFile, info: tarfile.TarInfo) -> Callable[[], IO[bytes]]:
    def opener() -> IO[bytes]:
        file = tar.extractfile(info)
        if file is None:
            raise tarfile.ReadError(f"'{info.name}' cannot be read")
        return file

    return opener


def _refuse_danger(archive: Path, members: Iterable[Member]) -> None:
    """Refuse names that lead out of the folder, and contents that only a bomb has."""
    for member in members:
        path = PurePosixPath(member.name)
        outside = path.is_absolute() or ".." in path.parts or not path.parts
        if outside or "\\" in member.name or ":" in path.parts[0]:
            raise SvfapError(f"{archive}: '{member.name}' leads out of its folder; do not use it")
    size = sum(member.size for member in members)
    if size > MAX_RATIO * max(archive.stat().st_size, CHUNK_BYTES):
        raise SvfapError(f"{archive}: would unpack to {size / 1e9:.1f} GB, which is implausible")


def _is_done(folder: Path, member: Member) -> bool:
    path = folder / member.name
    return path.is_file() and path.stat().st_size == member.size


def _extract(member: Member, path: Path) -> None:
    """Write one file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with member.open() as source, replacing(path) as partial:
        with partial.open("wb") as target:
            shutil.copyfileobj(source, target, CHUNK_BYTES)
        if partial.stat().st_size != member.size:
            raise EOFError(f"'{member.name}' is cut short")


def _password(archive: Path) -> bytes | None:
    """The password beside an archive."""
    file = archive.parent / PASSWORD
    return file.read_text(encoding="utf-8").strip().encode() if file.is_file() else None
