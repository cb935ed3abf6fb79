"""Zips in parts, read as one file without being copied together.

`name.zip.001`, `.002`, ... and `name_partaa`, `name_partab`, ... are one zip cut anywhere.
`name.z01`, `.z02`, ..., `name.zip` are a split archive: offsets count from the part in which they
lie, which `zipfile` does not know; they are corrected here, as is the trailer that names the parts.
"""

import io
import re
import struct
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pyzipper import AESZipFile
from pyzipper import BadZipFile as BadAESZipFile

from svfap.errors import SvfapError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

TRAILER = b"PK\x05\x06"
TRAILER_64 = b"PK\x06\x06"
LOCATOR_64 = b"PK\x06\x07"
TAIL_BYTES = 1 << 17
AES = 99
DAMAGED = (zipfile.BadZipFile, BadAESZipFile)


class JoinedFile(io.RawIOBase):
    """Several files as one, read-only; `patch` replaces the end of it."""

    def __init__(self, files: Sequence[IO[bytes]], sizes: Sequence[int]) -> None:
        self.files, self.sizes = files, sizes
        self.starts = [sum(sizes[:number]) for number in range(len(sizes))]
        self.size = sum(sizes)
        self.position = 0
        self.patch_start, self.patch = self.size, b""

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """The position in the whole."""
        return self.position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move in the whole."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: self.size}[whence]
        if base + offset < 0:
            raise OSError("before the beginning")
        self.position = base + offset
        return self.position

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Read what comes next from one place; 0 at the end."""
        view = memoryview(buffer).cast("B")
        count = min(len(view), self.size - self.position)
        if self.position >= self.patch_start:
            begin = self.position - self.patch_start
            piece = self.patch[begin : begin + count]
        else:
            number = max(n for n, start in enumerate(self.starts) if start <= self.position)
            inside = self.position - self.starts[number]
            self.files[number].seek(inside)
            limit = min(self.sizes[number] - inside, self.patch_start - self.position)
            piece = self.files[number].read(min(count, limit))
        view[: len(piece)] = piece
        self.position += len(piece)
        return len(piece)


@dataclass(frozen=True)
class LastPart:
    """Where the parts of a split archive begin; () if it is not split."""

    starts: tuple[int, ...] = ()

    def correct(self, info: zipfile.ZipInfo) -> None:
        """Turn an offset in a part into one in the whole."""
        if self.starts:
            info.header_offset += self.starts[info.volume]
            if "_end_offset" in zipfile.ZipInfo.__slots__:  # of newer Pythons, not corrected
                info._end_offset = None  # type: ignore[attr-defined]


@contextmanager
def joined(archive: Path) -> Iterator[tuple[IO[bytes], LastPart]]:
    """A zip as one file, whatever parts it is in.

    Args:
        archive: the part that ends in `.zip` or `.zip.001`.

    Raises:
        SvfapError: a part is missing.
    """
    paths, split = _parts(archive)
    with ExitStack() as stack:
        files = [stack.enter_context(path.open("rb")) for path in paths]
        if len(files) == 1:
            yield files[0], LastPart()
            return
        whole = JoinedFile(files, [path.stat().st_size for path in paths])
        if split:
            _unsplit(whole, archive)
        starts = LastPart(tuple(whole.starts) if split else ())
        yield stack.enter_context(io.BufferedReader(whole)), starts


def open_zip(file: IO[bytes], password: bytes | None) -> zipfile.ZipFile:
    """A zip that can be read, with the reader that its encryption needs."""
    zipped = zipfile.ZipFile(file)
    if any(info.compress_type == AES for info in zipped.infolist()):
        file.seek(0)
        zipped = AESZipFile(file)
    zipped.pwd = password
    return zipped


def _parts(archive: Path) -> tuple[list[Path], bool]:
    """The parts of a zip in order, and whether it is a split archive."""
    name = archive.name
    if re.search(r"\.zip\.001$", name, re.IGNORECASE):
        stem, pattern, split = name[:-3], r"(\d{3})", False
    elif name.endswith("aa"):
        stem, pattern, split = name[:-2], r"([a-z]{2})", False
    else:
        stem, pattern, split = name[:-3], r"[zZ](\d{2,3})", True
    numbered = {}
    for path in archive.parent.iterdir():
        match = re.fullmatch(re.escape(stem) + pattern, path.name)
        if match:
            numbered[_number(match[1])] = path
    last = max(numbered, default=0)
    missing = [number for number in range(1, last + 1) if number not in numbered]
    if missing:
        raise SvfapError(f"{archive}: its part {missing[0]} of {last} is missing; put it beside it")
    parts = [numbered[number] for number in range(1, last + 1)]
    return ([*parts, archive] if split else parts), split


def _number(mark: str) -> int:
    """A part's number, counted from 1: `001`, or `aa`, `ab`, ..., `az`, `ba`."""
    if mark.isdecimal():
        return int(mark)
    first, second = (ord(letter) - ord("a") for letter in mark)
    return first * 26 + second + 1


def _unsplit(whole: JoinedFile, archive: Path) -> None:
    """Let the trailer of a split archive say that it is one part.

    Raises:
        SvfapError: the trailer names more parts than there are.
    """
    begin = max(0, whole.size - TAIL_BYTES)
    whole.seek(begin)
    tail = bytearray(whole.read())
    place = tail.rfind(TRAILER)
    if place < 0:
        raise zipfile.BadZipFile("no end of its list of files")
    disk, first, _, count, size, offset = struct.unpack_from("<HHHHII", tail, place + 4)
    long, locator = tail.rfind(TRAILER_64, 0, place), tail.rfind(LOCATOR_64, 0, place)
    if locator >= 0 and long >= 0:
        disk, first, _, count, size, offset = struct.unpack_from("<IIQQQQ", tail, long + 16)
    if disk + 1 != len(whole.sizes):
        raise SvfapError(f"{archive}: has {disk + 1} parts, but {len(whole.sizes)} are here")
    offset += whole.starts[first]
    if locator >= 0 and long >= 0:
        struct.pack_into("<IIQQQQ", tail, long + 16, 0, 0, count, count, size, offset)
        struct.pack_into("<IQI", tail, locator + 4, 0, begin + long, 1)
    else:
        struct.pack_into("<HHHHII", tail, place + 4, 0, 0, count, count, size, offset)
    whole.patch_start, whole.patch = begin, bytes(tail)
