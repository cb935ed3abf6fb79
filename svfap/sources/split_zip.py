"""Read a zip that is stored in parts as one file, without copying the parts together.

`name.zip.001`, `.002`, ... and `name_partaa`, `name_partab`, ... are the pieces of one zip, cut at
arbitrary bytes. `name.z01`, `.z02`, ..., `name.zip` are a split archive: each offset in it counts
from the start of a part. `zipfile` does not support split archives, so this module corrects the
offsets and the record at the end that gives the number of parts.
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

# Signatures of the records at the end of a zip (APPNOTE.TXT, 4.3.14 to 4.3.16).
END_RECORD = b"PK\x05\x06"
END_RECORD_64 = b"PK\x06\x06"
LOCATOR_64 = b"PK\x06\x07"
# Number of bytes at the end of a file to search for the three records. Together they take less than
# 200 bytes, and the last record has a comment of up to 64 KiB.
TAIL_BYTES = 1 << 17
AES = 99  # compression method that marks WinZip's AES encryption
DAMAGE_ERRORS = (zipfile.BadZipFile, BadAESZipFile)


class JoinedFile(io.RawIOBase):
    """Several files that are read as one; `patch` replaces the bytes from `patch_start` on."""

    def __init__(self, files: Sequence[IO[bytes]], sizes: Sequence[int]) -> None:
        self.files, self.sizes = files, sizes
        self.starts = [sum(sizes[:number]) for number in range(len(sizes))]
        self.size = sum(sizes)
        self.position = 0
        self.patch_start, self.patch = self.size, b""  # no patch

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position in the joined file."""
        return self.position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position in the joined file and return it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: self.size}[whence]
        if base + offset < 0:
            raise OSError("negative position in a file")
        self.position = base + offset
        return self.position

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Read the next bytes, at most to the end of a part; return their number, 0 at the end."""
        view = memoryview(buffer).cast("B")
        count = min(len(view), self.size - self.position)
        if self.position >= self.patch_start:
            start = self.position - self.patch_start
            chunk = self.patch[start : start + count]
        else:
            number = max(n for n, start in enumerate(self.starts) if start <= self.position)
            inside = self.position - self.starts[number]
            self.files[number].seek(inside)
            limit = min(self.sizes[number] - inside, self.patch_start - self.position)
            chunk = self.files[number].read(min(count, limit))
        view[: len(chunk)] = chunk
        self.position += len(chunk)
        return len(chunk)


@dataclass(frozen=True)
class PartStarts:
    """Positions in the joined file at which the parts start; () if the archive is not split."""

    starts: tuple[int, ...] = ()

    def correct_in_place(self, info: zipfile.ZipInfo) -> None:
        """Change a member's offset from its part to the joined file."""
        if self.starts:
            info.header_offset += self.starts[info.volume]
            # Pythons with the fix of CVE-2024-0450 refuse overlapping members: they compare a
            # member's end with `_end_offset`, which they computed from uncorrected offsets. The
            # value None skips the comparison.
            if "_end_offset" in zipfile.ZipInfo.__slots__:
                info._end_offset = None  # type: ignore[attr-defined]


@contextmanager
def joined(archive: Path) -> Iterator[tuple[IO[bytes], PartStarts]]:
    """Open a zip as one file, whatever the number of its parts.

    Args:
        archive: the part that ends in `.zip`, `.zip.001` or `aa`.

    Raises:
        SvfapError: a part is missing.
    """
    paths, split = _parts(archive)
    with ExitStack() as stack:
        files = [stack.enter_context(path.open("rb")) for path in paths]
        if len(files) == 1:
            yield files[0], PartStarts()
            return
        whole = JoinedFile(files, [path.stat().st_size for path in paths])
        if split:
            _patch_end_record(whole, archive)
        starts = PartStarts(tuple(whole.starts) if split else ())
        yield stack.enter_context(io.BufferedReader(whole)), starts


def open_zip(file: IO[bytes], password: bytes | None) -> zipfile.ZipFile:
    """Open a zip with the reader that its encryption needs."""
    zipped = zipfile.ZipFile(file)
    if any(info.compress_type == AES for info in zipped.infolist()):
        file.seek(0)
        zipped = AESZipFile(file)  # the standard library has no AES
    zipped.pwd = password
    return zipped


def _parts(archive: Path) -> tuple[list[Path], bool]:
    """Return the parts of a zip in order, and whether it is a split archive."""
    name = archive.name
    if re.search(r"\.zip\.001$", name, re.IGNORECASE):
        stem, pattern, split = name[:-3], r"(\d{3})", False
    elif name.endswith("aa"):
        stem, pattern, split = name[:-2], r"([a-z]{2})", False
    else:
        # Any other zip is a split archive if there are files `name.z01`, `name.z02`, ...
        stem, pattern, split = name[:-3], r"[zZ](\d{2,3})", True
    numbered = {}
    for path in archive.parent.iterdir():
        match = re.fullmatch(re.escape(stem) + pattern, path.name)
        if match:
            numbered[_part_number(match[1])] = path
    last = max(numbered, default=0)
    missing = [number for number in range(1, last + 1) if number not in numbered]
    if missing:
        raise SvfapError(
            f"{archive}: its part {missing[0]} of {last} is missing; put it into the same folder"
        )
    parts = [numbered[number] for number in range(1, last + 1)]
    return ([*parts, archive] if split else parts), split


def _part_number(suffix: str) -> int:
    """Return a part's number, counted from 1, by its suffix: `001`, or `aa`, ..., `az`, `ba`."""
    if suffix.isdecimal():
        return int(suffix)
    first, second = (ord(letter) - ord("a") for letter in suffix)
    return first * 26 + second + 1


def _patch_end_record(whole: JoinedFile, archive: Path) -> None:
    """Patch the end record of a split archive so that it describes an archive of one part.

    The record has the fields: number of this part, part with the start of the list of files,
    entries of the list in this part, entries in all, size of the list, offset of the list. Archives
    above 4 GB have a second record with wider fields, and a locator that points to it.

    Raises:
        SvfapError: the record says that there are more parts than were found.
    """
    tail_start = max(0, whole.size - TAIL_BYTES)
    whole.seek(tail_start)
    tail = bytearray(whole.read())
    record = tail.rfind(END_RECORD)
    if record < 0:
        raise zipfile.BadZipFile("its end record is missing")
    # The fields begin after the signature of 4 bytes.
    this_part, list_part, _, count, size, offset = struct.unpack_from("<HHHHII", tail, record + 4)
    record_64, locator = tail.rfind(END_RECORD_64, 0, record), tail.rfind(LOCATOR_64, 0, record)
    is_zip64 = locator >= 0 and record_64 >= 0
    if is_zip64:
        # These begin after the signature, the record's size and two versions: 4 + 8 + 2 + 2 bytes.
        this_part, list_part, _, count, size, offset = struct.unpack_from(
            "<IIQQQQ", tail, record_64 + 16
        )
    if this_part + 1 != len(whole.sizes):
        raise SvfapError(
            f"{archive}: has {this_part + 1} parts, but {len(whole.sizes)} are here; put all parts"
            " into the same folder"
        )
    # Describe a single part, number 0, which holds the whole list of files.
    offset += whole.starts[list_part]
    if is_zip64:
        struct.pack_into("<IIQQQQ", tail, record_64 + 16, 0, 0, count, count, size, offset)
        # After its signature, the locator has the record's part and offset, and the part count.
        struct.pack_into("<IQI", tail, locator + 4, 0, tail_start + record_64, 1)
    else:
        struct.pack_into("<HHHHII", tail, record + 4, 0, 0, count, count, size, offset)
    whole.patch_start, whole.patch = tail_start, bytes(tail)
