"""Name the files of listed videos: by the names that the user gave them, in safe letters."""

import hashlib
import re
import unicodedata
from collections import Counter
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

from svfap.datasets.listing import ListedVideo, path_or_id
from svfap.sources import is_url

STEM_LENGTH = 80  # leaves room for suffixes and digests in the 255 bytes of a file name


def keys(rows: list[ListedVideo]) -> list[str]:
    """Return a key for each row: the file's stem in safe letters, plus a digest where stems clash.

    A key depends on the row and on which stems clash, not on the order of rows. Stems that differ
    only in upper and lower case clash too, because some file systems ignore case.
    """
    names = [stem(row.source) for row in rows]
    count = Counter(name.casefold() for name in names)
    return [
        name if count[name.casefold()] == 1 else f"{name}-{digest(row)}"
        for name, row in zip(names, rows, strict=True)
    ]


def digest(row: ListedVideo) -> str:
    """Return eight hexadecimal digits that depend on the path, start and end of a row."""
    return digest_of_text(f"{path_or_id(row.cells)}\n{row.start}\n{row.end}")


def digest_of_text(text: str) -> str:
    """Return eight hexadecimal digits that depend on the text alone."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def stem(source: str) -> str:
    """Return the name of a path or URL without suffix, in letters that any file name may have."""
    name = Path(source).as_posix()
    if is_url(source):
        address = urlsplit(source)
        video_id = parse_qs(address.query).get("v", [""])[0]  # YouTube's .../watch?v=ID
        # The suffix `.page` keeps a dot within an id from being taken as the start of a suffix.
        name = f"{video_id}.page" if video_id else unquote(address.path)
    plain = unicodedata.normalize("NFKD", PurePosixPath(name).stem).encode("ascii", "ignore")
    return re.sub(r"[^A-Za-z0-9_-]+", "_", plain.decode())[:STEM_LENGTH].strip("_-") or "clip"
