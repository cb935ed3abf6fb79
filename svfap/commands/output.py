"""Where a command writes: a folder that is new, unless the user says otherwise."""

from pathlib import Path

from svfap.errors import SvfapError


def check_free(folder: Path, *, overwrite: bool) -> None:
    """Refuse to write over what is there.

    Raises:
        SvfapError: the folder is a file, or holds something.
    """
    if folder.exists() and not folder.is_dir():
        raise SvfapError(f"{folder}: exists and is no folder; choose another")
    if folder.is_dir() and any(folder.iterdir()) and not overwrite:
        raise SvfapError(f"{folder}: exists; choose another folder, or add --overwrite")


def claim(folder: Path, *, overwrite: bool) -> Path:
    """The folder, made if need be.

    Raises:
        SvfapError: see `check_free`.
    """
    check_free(folder, overwrite=overwrite)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
