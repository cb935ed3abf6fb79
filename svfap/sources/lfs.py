"""Files that a git repository keeps in its large file storage."""

import re
from pathlib import Path

from svfap.sources.http import fetch
from svfap.sources.parallel import Remote
from svfap.sources.partial import Expected
from svfap.sources.source_error import SourceError

POINTER = re.compile(r"oid sha256:(?P<oid>[0-9a-f]{64})\s+size (?P<size>\d+)")


def remote(pointer: str, media: str, destination: Path) -> Remote:
    """A file whose size and checksum its pointer tells.

    Args:
        pointer: URL of the small text file in the repository.
        media: URL of the content.
        destination: where the content is to lie.

    Raises:
        SourceError: the pointer cannot be had, or is none.
    """
    note = destination.with_name(f".{destination.name}.pointer")
    try:
        text = fetch(pointer, note).read_text(encoding="utf-8", errors="replace")
    finally:
        note.unlink(missing_ok=True)
    match = POINTER.search(text)
    if not match:
        raise SourceError(f"{pointer}: is no git-LFS pointer; the repository has changed")
    return Remote(media, destination, Expected(int(match["size"]), f"sha256:{match['oid']}"))
