"""Unpack archives file by file, never outside their folder and never leaving a file incomplete.

Supported: tars, zips, zips in parts (`.zip.001`, `_partaa`, or `.z01` with a last part `.zip`) and
encrypted zips. `zipfile` decrypts the old ZipCrypto, slowly; AES needs `pyzipper`, because the
standard library has no AES. The password is read from `password.txt` beside the archive, so that it
appears in no configuration, log or process list.
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
from svfap.sources.split_zip import AES, DAMAGE_ERRORS, PartStarts, joined, open_zip

UNPACKED = ".unpacked"
PASSWORD_FILE = "password.txt"
MAX_RATIO = 200  # a video hardly shrinks; a zip bomb shrinks by a factor of up to 1,000
ZIPS = re.compile(r".*(\.zip|\.zip\.001|part_?aa)", re.IGNORECASE)
TARS = re.compile(r".*\.(tar|tar\.gz|tgz|tar\.bz2|tar\.xz)", re.IGNORECASE)
NESTED_LEVELS = 3  # deepest nesting of archives in archives that is unpacked
CHUNK_BYTES = 1 << 20
# Errors that the name of a file in the archive causes. The disk causes all other errors.
NAME_ERRORS = {errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST}

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Member:
    """A file in an archive.

    Attributes:
        name: its path in the archive.
        size: number of bytes when unpacked.
        open: function that opens its content for reading.
    """

    name: str
    size: int
    open: Callable[[], IO[bytes]]


def unpack_all(root: Path) -> None:
    """Unpack all archives below a root into their own folders, and the archives inside them.

    The file `.unpacked` lists finished archives, so that an interrupted run resumes and archives
    that the user adds later are unpacked too. Archives are never deleted.

    Raises:
        SvfapError: see `unpack`.
    """
    note = root / UNPACKED
    done = {*note.read_text(encoding="utf-8").splitlines()} if note.exists() else set()
    for _ in range(NESTED_LEVELS):
        found = {_identity(archive, root): archive for archive in archives_below(root)}
        for identity in sorted(found.keys() - done):
            # Open the note before unpacking: if unpacking fails, the empty note shows that these
            # archives are ours to unpack (see `datasets.local_copy.unpacker`).
            with note.open("a", encoding="utf-8") as file:
                unpack(found[identity], found[identity].parent)
                file.write(f"{identity}\n")
            done.add(identity)


def _identity(archive: Path, root: Path) -> str:
    """Return text that differs between archives, and changes with an archive's size."""
    return f"{archive.stat().st_size} {archive.relative_to(root).as_posix()}"


def unpack(archive: Path, folder: Path, *, keep: Callable[[str], bool] | None = None) -> int:
    """Unpack an archive; keep files that exist already with the right size.

    Args:
        archive: a tar or zip; for a zip in parts, the one that ends in `.zip`, `.zip.001` or `aa`.
        folder: folder to unpack into; created if missing.
        keep: function that decides by a file's name whether to unpack it; None for all files.

    Returns:
        The number of the archive's files that are now in the folder.

    Raises:
        SvfapError: the archive is damaged, dangerous, incomplete or encrypted without the right
            password, or the disk is too small.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with _opened(archive) as members:
            kept = [member for member in members if keep is None or keep(member.name)]
            _check_safety(archive, kept)
            # Several files may have one name, since a tar can be appended to; the last one counts.
            wanted = {PurePosixPath(member.name): member for member in kept}.values()
            missing = [member for member in wanted if not _is_unpacked(folder, member)]
            check_space(str(archive), folder, sum(member.size for member in missing))
            progress = Progress(label=f"unpack {archive.name}", total=len(missing), unit="file")
            for member in missing:
                _extract(member, folder / member.name)
                progress.advance()
            progress.close()
    # zipfile and tarfile pass on errors of zlib and of files that end too early.
    except (*DAMAGE_ERRORS, tarfile.TarError, zlib.error, EOFError) as error:
        raise SvfapError(
            f"{archive}: damaged or incomplete ({error}); delete it and download it again"
        ) from None
    except OSError as error:
        if error.errno not in NAME_ERRORS:
            raise
        name = error.filename2 or error.filename
        raise SvfapError(
            f"{archive}: {name} cannot be written ({error.strerror}); unpack it by hand"
        ) from None
    return len(wanted)


def archives_below(root: Path) -> list[Path]:
    """Return the archives below a root; for an archive in parts, the part to open."""
    found = []
    for parent, _, names in os.walk(root):
        found += [
            Path(parent, name) for name in names if ZIPS.fullmatch(name) or TARS.fullmatch(name)
        ]
    return sorted(found)


@contextmanager
def _opened(archive: Path) -> Iterator[Iterable[Member]]:
    """Open an archive and yield its files."""
    if ZIPS.fullmatch(archive.name):
        with (
            joined(archive) as (file, starts),
            open_zip(file, _password(archive)) as zipped,
        ):
            yield _zip_members(zipped, starts, archive)
    else:
        with tarfile.open(archive) as tar:
            yield _tar_members(tar, archive)


def _zip_members(zipped: zipfile.ZipFile, starts: PartStarts, archive: Path) -> list[Member]:
    """Return the files of a zip; raise SvfapError for links and if a password is missing."""
    members = []
    if any(info.flag_bits & 1 and info.compress_type != AES for info in zipped.infolist()):
        logger.info("%s: old encryption, about 1.5 MB/s; unpacking by 7-zip is faster", archive)
    for info in zipped.infolist():
        starts.correct_in_place(info)
        # The upper 16 bits are the mode of a Unix file.
        if stat.S_ISLNK(info.external_attr >> 16):
            raise SvfapError(f"{archive}: '{info.filename}' is a link; unpack it by hand")
        if info.flag_bits & 1 and not zipped.pwd:
            raise SvfapError(
                f"{archive}: is encrypted; write its password into {archive.parent / PASSWORD_FILE}"
            )
        if not info.is_dir():
            opener = _zip_opener(zipped, info, archive)
            members.append(Member(info.filename, info.file_size, opener))
    return members


def _zip_opener(
    zipped: zipfile.ZipFile, info: zipfile.ZipInfo, archive: Path
) -> Callable[[], IO[bytes]]:
    """Return a function that opens one file of a zip."""

    def opener() -> IO[bytes]:
        try:
            return zipped.open(info)
        # zipfile raises these for a wrong password and for unknown compression.
        except (RuntimeError, NotImplementedError) as error:
            reason = str(error).partition(" for file")[0]
            password_file = archive.parent / PASSWORD_FILE
            raise SvfapError(
                f"{archive}: {reason}; correct {password_file}, or unpack it by hand"
            ) from None

    return opener


def _tar_members(tar: tarfile.TarFile, archive: Path) -> list[Member]:
    """Return the files of a tar; raise SvfapError for links and devices."""
    members = []
    for info in tar:
        if not (info.isfile() or info.isdir()):
            raise SvfapError(f"{archive}: '{info.name}' is not a plain file; unpack it by hand")
        if info.isfile():
            members.append(Member(info.name, info.size, _tar_opener(tar, info)))
    return members


def _tar_opener(tar: tarfile.TarFile, info: tarfile.TarInfo) -> Callable[[], IO[bytes]]:
    """Return a function that opens one file of a tar."""

    def opener() -> IO[bytes]:
        file = tar.extractfile(info)
        if file is None:
            raise tarfile.ReadError(f"'{info.name}' cannot be read")
        return file

    return opener


def _check_safety(archive: Path, members: Iterable[Member]) -> None:
    """Raise SvfapError for names that lead out of the folder, and for zip bombs."""
    for member in members:
        path = PurePosixPath(member.name)
        outside = path.is_absolute() or ".." in path.parts or not path.parts
        # Backslashes and drive letters lead out of the folder on Windows.
        if outside or "\\" in member.name or ":" in path.parts[0]:
            raise SvfapError(f"{archive}: '{member.name}' leads out of its folder; do not use it")
    size = sum(member.size for member in members)
    if size > MAX_RATIO * max(archive.stat().st_size, CHUNK_BYTES):
        raise SvfapError(
            f"{archive}: would unpack to {size / 1e9:.1f} GB, which is implausible; do not use it"
        )


def _is_unpacked(folder: Path, member: Member) -> bool:
    """Return whether a file of the right size exists; `_extract` leaves no incomplete files."""
    path = folder / member.name
    return path.is_file() and path.stat().st_size == member.size


def _extract(member: Member, path: Path) -> None:
    """Write one file completely or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with member.open() as source, replacing(path) as partial:
        with partial.open("wb") as target:
            shutil.copyfileobj(source, target, CHUNK_BYTES)
        if partial.stat().st_size != member.size:
            raise EOFError(f"'{member.name}' is cut short")


def _password(archive: Path) -> bytes | None:
    """Return the password in the file beside an archive; None without the file."""
    file = archive.parent / PASSWORD_FILE
    return file.read_text(encoding="utf-8").strip().encode() if file.is_file() else None
