"""The output folder of a command: a new or empty one, unless the user says --overwrite."""

import argparse
from pathlib import Path

from svfap.errors import SvfapError
from svfap.overwriting import check_writable


def check_free(folder: Path, *, overwrite: bool) -> None:
    """Raise if writing to a folder would fail, or might replace files without permission.

    Args:
        folder: the folder, which need not exist.
        overwrite: whether the user allows files to be replaced.

    Raises:
        SvfapError: the folder is a file, cannot be written, or is not empty and may not be
            overwritten.
    """
    if folder.exists() and not folder.is_dir():
        raise SvfapError(f"{folder}: exists and is not a folder; choose another name")
    if folder.is_dir() and any(folder.iterdir()) and not overwrite:
        raise SvfapError(f"{folder}: exists; choose another folder, or add --overwrite")
    check_writable(folder)


def claim(folder: Path, *, overwrite: bool) -> Path:
    """Create the folder if needed, and return it.

    Raises:
        SvfapError: see `check_free`.
    """
    check_free(folder, overwrite=overwrite)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def path(text: str) -> Path:
    """Return the path that an argument names; argparse reports a blank one.

    `Path("")` is the working directory, which nobody means by an empty variable in a script.
    """
    if not text.strip():
        raise argparse.ArgumentTypeError("is blank; name a file or folder")
    return Path(text)
