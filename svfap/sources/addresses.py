"""Say what is wrong with a text that should name a file, if its form shows it."""

import re

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")  # a single letter is a drive of Windows
_DRIVE = re.compile(r"([A-Za-z]):[\\/]+")


def why_no_path(text: str) -> str:
    """Return how to correct a text that is no path and no http(s) URL; empty if it looks right.

    Args:
        text: a path or address as the user wrote it.
    """
    scheme = _SCHEME.match(text)
    if scheme and scheme[1].lower() in {"http", "https"}:
        return "" if re.match(r"https?://[^/]", text, re.IGNORECASE) else f"write {scheme[1]}://"
    if scheme and scheme[1].lower() == "file":
        return "write the path without file://"
    if scheme:
        return f"{scheme[1]}:// is neither a local path nor http(s); download the files first"
    if drive := _DRIVE.match(text):
        there = f"/mnt/{drive[1].lower()}/" + text[drive.end() :].replace("\\", "/")
        return f"{drive[1]}: is a drive of Windows; in WSL, write {there}"
    return "write / instead of \\" if "\\" in text else ""
