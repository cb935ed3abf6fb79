"""Finding things in a user's copy of a dataset, whatever folder it was unpacked into.

Label files come with byte order marks, Windows line ends or latin-1 letters, and archives with or
without a folder of their own; the parsers see none of that.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from svfap.errors import SvfapError

LEVELS = ("", "*/", "*/*/")
VIDEO_SUFFIXES = frozenset({".mp4", ".avi", ".flv", ".mov", ".mkv", ".webm"})


class Absent(SvfapError):
    """Something that a copy must have is not there; the message is its name alone."""


def locate(root: Path, *places: str) -> Path | None:
    """The first of some places that lies below a root or at most two folders deeper."""
    found = (locate_all(root, place) for place in places)
    return next((paths[0] for paths in found if paths), None)


def locate_all(root: Path, place: str) -> list[Path]:
    """All matches of a place, sorted, in the first depth at which there are any."""
    found = (sorted(root.glob(level + place)) for level in LEVELS)
    return next(filter(None, found), [])


def need(root: Path, *places: str) -> Path:
    """Like `locate`.

    Raises:
        Absent: none of the places is there.
    """
    found = locate(root, *places)
    if found is None:
        raise Absent(" or ".join(f"`{place}`" for place in places))
    return found


def lines(path: Path) -> Iterator[str]:
    """The lines of a text file that are not blank, without blanks around them.

    Raises:
        Absent: the file is not there.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise Absent(f"`{path.parent.name}/{path.name}`") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    yield from filter(None, map(str.strip, text.splitlines()))


def walk(folder: Path) -> Iterator[Path]:
    """All files below a folder, in a fixed order, a folder at a time; hidden ones left out."""
    for parent, folders, names in os.walk(folder):
        folders.sort()
        base = Path(parent)
        yield from (base / name for name in sorted(names) if not name.startswith("."))


def by_name(folder: Path, suffixes: Iterable[str] = VIDEO_SUFFIXES) -> dict[str, Path]:
    """File name -> path of all videos below a folder."""
    wanted = {*suffixes}
    return {path.name: path for path in walk(folder) if path.suffix.lower() in wanted}


def by_number(folder: Path) -> dict[int, Path]:
    """Number -> folder of frames or video named by it, whatever its leading zeros.

    Looks one folder deeper where a folder's name is no number, such as in `part_1/7.mp4`.
    """
    found: dict[int, Path] = {}
    for entry in _visible(folder):
        deeper = entry.is_dir() and not entry.name.isdecimal()
        for candidate in _visible(Path(entry)) if deeper else [entry]:
            numbered = _numbered(candidate)
            if numbered:
                found[numbered[0]] = numbered[1]
    return found


def _visible(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted((e for e in entries if not e.name.startswith(".")), key=lambda e: e.name)


def _numbered(entry: os.DirEntry[str]) -> tuple[int, Path] | None:
    """The number of a folder or video and its path; None if it is neither or has no number."""
    stem, suffix = os.path.splitext(entry.name)  # noqa: PTH122  (a million times)
    if not stem.isdecimal() or not (suffix.lower() in VIDEO_SUFFIXES or entry.is_dir()):
        return None
    return int(stem), Path(entry.path)


def safe_key(name: str) -> str:
    """A name with what is neither letter, digit, '-' nor '_' replaced by '-'."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", name)


def check_training_lists(
    name: str, tested: Mapping[str, set[str]], trained: Mapping[str, set[str]]
) -> None:
    """Refuse official lists of which a fold's training set is not the rest of its test set.

    Raises:
        SvfapError: names the fold and the clips.
    """
    everything = set().union(*tested.values())
    for fold, clips in trained.items():
        wrong = sorted(clips ^ (everything - tested[fold]))
        if wrong:
            raise SvfapError(
                f"{name}: the training list of {fold} is not the rest of its test list"
                f" ({len(wrong)} clips differ, such as {wrong[0]}); get the lists anew"
            )


def unpacks(*places: str) -> Callable[[Path], None]:
    """A `bring` for a dataset that is placed by hand: unpacks its archives unless that was done.

    Args:
        places: what must be there; archives are unpacked if any of it is not, or if others were.
    """

    def bring(root: Path) -> None:
        from svfap.sources import archives

        if (root / archives.UNPACKED).exists() or not all(locate(root, place) for place in places):
            archives.unpack_all(root)

    return bring
