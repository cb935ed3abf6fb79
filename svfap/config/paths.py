"""Paths in a configuration: `~` and `$HOME` are expanded, and missing files reported at once."""

import os
import re
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator

from svfap.errors import SvfapError

_UNSET_VARIABLE = re.compile(r"\$\{?(\w+)")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # two letters or more: C:/ is a drive


def expand(value: object) -> object:
    """Return a path with `~` and variables such as `$HOME` expanded.

    Raises:
        ValueError: a variable or a user is unknown, or the text is no path of this machine.
    """
    if not isinstance(value, str | Path):
        return value  # pydantic explains which type is expected
    text = str(value)
    if not text.strip():
        raise ValueError("an empty path; name a file or folder, or delete the key")
    if "\\" in text:
        raise ValueError(f"'{text}' contains a backslash; separate folders by '/'")
    if _ADDRESS.match(text):
        raise ValueError(f"'{text}' is an address; name a file or folder of this machine")
    expanded = os.path.expanduser(os.path.expandvars(text))  # noqa: PTH111  (no text twice)
    unset = _UNSET_VARIABLE.search(expanded)
    if unset:
        raise ValueError(f"'{text}': the variable '{unset[1]}' is not set; write the whole path")
    if expanded.startswith("~"):
        raise ValueError(f"'{text}': no such user; write the whole path")
    return expanded


ExpandedPath = Annotated[Path, BeforeValidator(expand)]


def check_file(path: Path, *, key: str) -> None:
    """Raise SvfapError if the file that a key names is missing, a folder, or empty."""
    if not path.exists():
        problem = "does not exist"
    elif path.is_dir():
        problem = "is a folder"
    else:
        problem = "" if path.stat().st_size else "is empty"
    if problem:
        raise SvfapError(f"{key}: {path} {problem}; correct the path")


def check_folder(path: Path, *, key: str) -> None:
    """Raise SvfapError if a file is in the place of a folder that the pipeline may have to make."""
    for place in (path, *path.parents):
        if place.is_file():
            raise SvfapError(f"{key}: {place} is a file; name a folder")
