"""Files that a git repository keeps in its large file storage (LFS)."""

import re
from pathlib import Path

from svfap.sources.http import fetch
from svfap.sources.parallel import RemoteFile
from svfap.sources.partial import Expected
from svfap.sources.source_error import SourceError

POINTER = re.compile(r"oid sha256:(?P<oid>[0-9a-f]{64})\s+size (?P<size>\d+)")


def describe_lfs_file(pointer: str, media: str, destination: Path) -> RemoteFile:
    """Download a file's LFS pointer and return the file with its size and checksum.

    Args:
        pointer: URL of the pointer, a small text file in the repository.
        media: URL of the content.
        destination: path at which to store the content.

    Raises:
        SourceError: the pointer cannot be downloaded, or is not a pointer.
    """
    note = destination.with_name(f".{destination.name}.pointer")
    try:
        text = fetch(pointer, note).read_text(encoding="utf-8", errors="replace")
    finally:
        note.unlink(missing_ok=True)
    match = POINTER.search(text)
    if not match:
        raise SourceError(f"{pointer}: not a git-LFS pointer; check whether the repository moved")
    return RemoteFile(media, destination, Expected(int(match["size"]), f"sha256:{match['oid']}"))
