"""The beginning of a download on disk, and what the whole must be."""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from svfap.errors import SvfapError

Advance = Callable[[int], None]


@dataclass(frozen=True)
class Expected:
    """What is known of a file before it is downloaded.

    Attributes:
        size: in bytes; None if unknown.
        checksum: such as "md5:900150983cd24fb0d6963f7d28e17f72"; "" if unknown.
    """

    size: int | None = None
    checksum: str = ""

    def problem(self, path: Path) -> str:
        """How a file differs from what is expected; "" if it does not."""
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
    """The bytes of a file from `first` to `last`, of that state of it which the validator names."""

    first: int
    last: int
    validator: str

    @property
    def size(self) -> int:
        """In bytes."""
        return self.last - self.first + 1


@dataclass(frozen=True)
class Partial:
    """The beginning of a download, with a note of what it is the beginning of.

    `<name>.part.source` keeps the URL and the validator (ETag or Last-Modified) of its bytes.

    Attributes:
        path: the file so far.
        advance: is told how many bytes come and go.
        span: the bytes of the file that belong here; None: all.
    """

    path: Path
    advance: Advance
    span: Span | None = None

    @property
    def sidecar(self) -> Path:
        """The note."""
        return self.path.with_name(self.path.name + ".source")

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self.path.stat().st_size if self.path.exists() else 0

    def validator(self, url: str) -> str:
        """The validator of the bytes so far; '' if there are none or they are of another URL."""
        if not self.size or not self.sidecar.exists():
            return ""
        note = self.sidecar.read_text(encoding="utf-8", errors="replace")
        origin, _, validator = note.partition("\n")
        return validator if origin == url else ""

    def headers(self, validator: str) -> dict[str, str]:
        """What asks for the bytes that are still to come."""
        kept = self.size if validator else 0
        if self.span:
            wanted = f"bytes={self.span.first + kept}-{self.span.last}"
            return {"Range": wanted, "If-Range": self.span.validator}
        return {"Range": f"bytes={kept}-", "If-Range": validator} if kept else {}

    def begin(self, url: str, validator: str) -> None:
        """Forget the bytes so far and note whose bytes come next."""
        self.discard()
        self.sidecar.write_text(f"{url}\n{validator}", encoding="utf-8")

    def discard(self) -> None:
        """Forget the bytes so far."""
        self.advance(-self.size)
        self.path.unlink(missing_ok=True)
        self.sidecar.unlink(missing_ok=True)


def check_space(what: str, folder: Path, needed: int) -> None:
    """Refuse what would fill the disk.

    Args:
        what: begins the message.
        folder: where it would be stored.
        needed: bytes.

    Raises:
        SvfapError: there is less room.
    """
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise SvfapError(
            f"{what}: needs {needed / 1e9:.1f} GB but {folder} has {free / 1e9:.1f} GB free;"
            " free some space or set `data` to a larger disk"
        )
