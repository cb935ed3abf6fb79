"""Files of tensors and plain values: written whole or not at all, read without running their code.

Checkpoints, saves of a run and saved batches are such files.
"""

import functools
import pickle
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from svfap import __version__
from svfap.errors import SvfapError
from svfap.replacing import replacing
from svfap.tracking.stage_run import git_commit

_DAMAGE = (
    *(OSError, RuntimeError, EOFError, LookupError, ValueError),
    *(pickle.UnpicklingError, zipfile.BadZipFile),
)


class ForeignFileError(SvfapError):
    """The file holds objects other than tensors and plain values, or PyTorch did not write it."""


@functools.cache
def provenance() -> dict[str, str]:
    """Return version and commit of the running code; every file records them."""
    return {"version": __version__, "commit": git_commit()}


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write a file atomically: temporary file, fsync, rename.

    Raises:
        OSError: the file cannot be written; the previous file is unchanged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with replacing(path, fsync=True) as partial, partial.open("wb") as file:
            torch.save(dict(content), file)
    except RuntimeError as error:
        # On a full disk, torch 2's zip writer fails a second time while it closes the archive, and
        # its RuntimeError about file positions hides the OSError that says what went wrong.
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise


def read(path: Path, *, allowed: Sequence[type] = ()) -> dict[str, Any]:
    """Read a file onto the CPU.

    Args:
        path: the file.
        allowed: plain classes that the file may hold besides tensors and plain values.

    Raises:
        ForeignFileError: the file holds other objects, or PyTorch did not write it.
        SvfapError: the file is missing, incomplete or damaged.
    """
    try:
        _check_sums(path)
        with torch.serialization.safe_globals(list(allowed)):
            content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise SvfapError(f"{path}: cannot be read ({error.strerror})") from None
    except _DAMAGE as error:
        kind = ForeignFileError if isinstance(error, pickle.UnpicklingError) else SvfapError
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise kind(f"{path}: not a whole checkpoint ({reason}); delete it and run again") from None
    return content


def _check_sums(path: Path) -> None:
    """Check the CRC-32 of every tensor; `torch.load` (2.13) does not.

    Raises:
        zipfile.BadZipFile: a byte has changed since the file was written.
    """
    if not zipfile.is_zipfile(path):
        return  # missing, which torch reports, or of PyTorch before 1.6, without sums
    with zipfile.ZipFile(path) as archive:
        if damaged := archive.testzip():
            raise zipfile.BadZipFile(f"{damaged} has changed since it was written")
