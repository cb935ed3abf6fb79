"""Errors of Snakemake whose own text does not say what to do, each in one line."""

import re
import stat
from collections.abc import Iterable
from pathlib import Path

from svfap.errors import SvfapError
from svfap.redact import redacted

# Snakemake's words for what it asks of a storage, the file, and the storage's own error.
STORAGE = re.compile(
    r"(?P<what>Failed to (?:store output in storage|retrieve storage object from"
    r"|(?:remove|touch) storage object|check existence of"
    r"|get (?:mtime|size|checksum|expected local footprint \(i\.e\. size\)) of))"
    r" (?P<where>(?!git source)[^\n]+)\n\s*(?P<reason>.+)",
    re.DOTALL,
)
PROTECTED = re.compile(
    r"Write-protected output files.+affected files:\s*(?P<file>[^\n]+)", re.DOTALL
)
UNWRITABLE = re.compile(
    r"Failed to create output directory (?P<folder>[^\n]+)\.\n"
    r"\s*\w+: \[Errno \d+\] (?P<why>[^:\n]+)"
)
MOST_CHARACTERS = 300
WRITABLE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


def explained(text: str) -> str:
    """Return the line for a message of Snakemake; empty for one that speaks for itself."""
    if found := STORAGE.search(text):
        what, where, reason = (" ".join(value.split()) for value in found.groups())
        return redacted(
            f"storage: {what} {where} ({reason[:MOST_CHARACTERS]}); check address, credentials,"
            " permissions and network, then run the same command again: finished jobs are kept"
        )
    if found := UNWRITABLE.search(text):
        return _unwritable(found["folder"], found["why"])
    found = PROTECTED.search(text)
    return _protected(found["file"].strip()) if found else ""


def in_words(error: SvfapError | OSError) -> str:
    """Return what stops a run before its first job, and what to do."""
    if isinstance(error, OSError):
        return _unwritable(str(error.filename), str(error.strerror))
    return str(error)


def refuse_protected(outputs: Iterable[Path]) -> None:
    """Refuse to replace a write-protected file.

    Snakemake refuses too, but only when the job starts, and never if root runs it.

    Args:
        outputs: the outputs of the jobs that will run.

    Raises:
        SvfapError: one of them is write-protected.
    """
    for path in outputs:
        if path.is_file() and not path.is_symlink() and not path.stat().st_mode & WRITABLE:
            raise SvfapError(_protected(str(path)))


def _protected(path: str) -> str:
    return (
        f"{path} is write-protected, and this run would replace it; take back what changed, or give"
        f" `results` another folder, or allow it by `chmod u+w {path}`"
    )


def _unwritable(folder: str, why: str) -> str:
    return (
        f"{folder}: {why}; choose folders that you may write to with the keys `data` and `results`"
    )
