"""Which columns of a list hold paths, labels and people, if they have names of their own.

`svfap new` finds them and writes them into the configuration, where the user sees them:
`columns: {path: file, label: emotion}`. It knows the names in published lists and the usual ways to
write one. Nothing is guessed when a run reads a list.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from svfap.errors import SvfapError
from svfap.sources import is_url

# In lower case, without blanks and separators.
_OTHER_NAMES: Mapping[str, re.Pattern[str]] = {
    "path": re.compile(
        "paths|(file|video|clip)s?(paths?|files?|names?)?|url|link|address|src|datei"
    ),
    "label": re.compile(
        "labels|labelname|gold|(ground)?truth"
        "|(emotion|class|expression|category|affect|annotation|target|mood|sentiment)"
        "(s|es|label|labels|name|names)?"
    ),
    "subject": re.compile(
        "subjects|persons|people|identity|individual"
        "|(subj?|subject|person|speaker|actor|participant|patient|proband|user|p)(id|name|nr|no)?"
    ),
    "fold": re.compile("folds|splits?|(sub)?set|partition|usage"),
}


def find(folder: Path, lines: Sequence[Sequence[str]]) -> dict[str, str]:
    """Return the user's names of ordinary columns that are missing: ordinary -> the user's.

    Args:
        folder: the folder to which paths are relative.
        lines: the cells of a list; the first line names the columns.
    """
    header = [name.strip() for name in lines[0]] if lines else []
    found = {name: own for name in _OTHER_NAMES if (own := like(name, header))}
    if {"path", "id"} & {name.lower() for name in header}:
        return found
    shown = [name for n, name in enumerate(header) if name and _names_videos(folder, lines, n)]
    if len(shown) == 1:
        found = {name: own for name, own in found.items() if own != shown[0]} | {"path": shown[0]}
    return found


def like(column: str, header: Sequence[str]) -> str:
    """Return the one name in a header that means an ordinary column; "" if it is there, or none."""
    other = _OTHER_NAMES.get(column)
    names = [name for name in header if other and other.fullmatch(_letters(name))]
    there = column in {name.strip().lower() for name in header}
    return names[0] if len(names) == 1 and not there else ""


def require(path: Path, columns: Sequence[str], column: str) -> None:
    """Raise SvfapError, with the columns found, if a column is missing."""
    if column in columns:
        return
    found = ", ".join(name for name in columns if name)
    own = like(column, columns)
    advice = f"rename '{own}', or set `columns: {{{column}: {own}}}`" if own else "rename one"
    raise SvfapError(f"{path}: column '{column}' is missing (found: {found}); {advice}")


def _names_videos(folder: Path, lines: Sequence[Sequence[str]], number: int) -> bool:
    """Return whether the first cell of a column is an address, or a file that exists."""
    cells = (line[number].strip() for line in lines[1:] if number < len(line))
    first = next((cell for cell in cells if cell), "").replace("\\", "/")
    return bool(first) and "\0" not in first and (is_url(first) or (folder / first).is_file())


def _letters(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).lower()
