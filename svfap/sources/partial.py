"""A partial download on disk, and the size and checksum that the whole file must have."""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from svfap.errors import SvfapError
from svfap.redact import redacted

Advance = Callable[[int], None]


@dataclass(frozen=True)
class Expected:
    """Size and checksum of a file, as far as they are known before its download.

    Attributes:
        size: number of bytes; None if unknown.
        checksum: algorithm and digest, as "md5:900150983cd24fb0d6963f7d28e17f72"; "" if unknown.
    """

    size: int | None = None
    checksum: str = ""

    def problem(self, path: Path) -> str:
        """Return how a file differs from the expected one; "" if it does not."""
        size = path.stat().st_size
        if self.size is not None and size != self.size:
            return f"has {size} bytes instead of {self.size}"
        if self.checksum:
            algorithm, _, wanted = self.checksum.partition(":")
            with path.open("rb") as file:
                found = hashlib.file_digest(file, algorithm).hexdigest()
            if found != wanted.lower():
                return f"has the {algorithm} checksum {found} instead of {wanted}"
        return ""


ANYTHING = Expected()


@dataclass(frozen=True)
class Span:
    """The bytes `first` to `last` of one version of a file; `validator` identifies the version."""

    first: int
    last: int
    validator: str

    @property
    def size(self) -> int:
        """Number of bytes."""
        return self.last - self.first + 1


@dataclass(frozen=True)
class Partial:
    """The first bytes of a download, with a sidecar file that says where they come from.

    The sidecar `<name>.part.source` has the URL and the validator (ETag or Last-Modified) of the
    bytes, so that a download resumes only if the server's file has not changed. The URL has no
    secrets, so a download also resumes from an address that was signed again.

    Attributes:
        path: file with the bytes received so far.
        advance: function called with the number of bytes received; negative if bytes are discarded.
        span: the bytes of the server's file to download; None for all.
    """

    path: Path
    advance: Advance
    span: Span | None = None

    @property
    def sidecar(self) -> Path:
        """Path of the sidecar file."""
        return self.path.with_name(self.path.name + ".source")

    @property
    def size(self) -> int:
        """Number of bytes received so far."""
        return self.path.stat().st_size if self.path.exists() else 0

    def validator(self, url: str) -> str:
        """Return the validator of the received bytes.

        Return '' if there are none, or if they come from another URL.
        """
        if not self.size or not self.sidecar.exists():
            return ""
        note = self.sidecar.read_text(encoding="utf-8", errors="replace")
        origin, _, validator = note.partition("\n")
        return validator if redacted(origin) == redacted(url) else ""

    def headers(self, validator: str) -> dict[str, str]:
        """Return the request headers that ask for the missing bytes.

        With If-Range, the server sends them if the file is unchanged, and the whole file otherwise.
        """
        kept = self.size if validator else 0  # bytes of an unknown version are of no use
        if self.span:
            wanted = f"bytes={self.span.first + kept}-{self.span.last}"
            return {"Range": wanted, "If-Range": self.span.validator}
        return {"Range": f"bytes={kept}-", "If-Range": validator} if kept else {}

    def start(self, url: str, validator: str) -> None:
        """Discard the bytes so far and write the sidecar of the bytes that follow."""
        self.discard()
        self.sidecar.write_text(f"{redacted(url)}\n{validator}", encoding="utf-8")

    def discard(self) -> None:
        """Delete the bytes so far and the sidecar."""
        self.advance(-self.size)
        self.path.unlink(missing_ok=True)
        self.sidecar.unlink(missing_ok=True)


def check_space(name: str, folder: Path, needed: int) -> None:
    """Check that the disk has room.

    Args:
        name: what needs the room, for the message.
        folder: folder in which it will be stored.
        needed: number of bytes.

    Raises:
        SvfapError: the disk has less free room.
    """
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise SvfapError(
            f"{name}: needs {needed / 1e9:.1f} GB but {folder} has {free / 1e9:.1f} GB free;"
            " free some space or set `data` to a larger disk"
        )
