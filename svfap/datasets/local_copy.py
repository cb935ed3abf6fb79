"""Find files in a user's copy of a dataset, whatever folder it was unpacked into.

Label files may have byte order marks, Windows line ends or latin-1 letters, and archives may or may
not contain a folder of their own. The functions here hide these differences from the parsers.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from svfap.errors import SvfapError

DEPTHS = ("", "*/", "*/*/")
VIDEO_SUFFIXES = frozenset({".mp4", ".avi", ".flv", ".mov", ".mkv", ".webm"})


class MissingFiles(SvfapError):
    """Files that a copy must have are missing; the message is only their names."""


def locate(root: Path, *places: str) -> Path | None:
    """Return the first of some paths that exists in a root or at most two folders below it."""
    found = (locate_all(root, place) for place in places)
    return next((paths[0] for paths in found if paths), None)


def locate_all(root: Path, place: str) -> list[Path]:
    """Return all matches of a glob pattern, sorted, at the first depth that has a match."""
    found = (sorted(root.glob(level + place)) for level in DEPTHS)
    return next(filter(None, found), [])


def require(root: Path, *places: str) -> Path:
    """Return the first of some paths that exists, as `locate` does.

    Raises:
        MissingFiles: none of them exists.
    """
    found = locate(root, *places)
    if found is None:
        raise MissingFiles(" or ".join(f"`{place}`" for place in places))
    return found


def text_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a text file without surrounding blanks; skip blank lines.

    Raises:
        MissingFiles: the file does not exist.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise MissingFiles(f"`{path.parent.name}/{path.name}`") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    yield from filter(None, map(str.strip, text.splitlines()))


def walk(folder: Path) -> Iterator[Path]:
    """Yield all files below a folder in a fixed order, folder by folder; skip hidden files."""
    for parent, folders, names in os.walk(folder):
        folders.sort()  # in place: os.walk then descends in this order
        base = Path(parent)
        yield from (base / name for name in sorted(names) if not name.startswith("."))


def videos_by_name(folder: Path, suffixes: Iterable[str] = VIDEO_SUFFIXES) -> dict[str, Path]:
    """Return file name -> path for all videos below a folder."""
    wanted = {*suffixes}
    return {path.name: path for path in walk(folder) if path.suffix.lower() in wanted}


def videos_by_number(folder: Path) -> dict[int, Path]:
    """Return number -> video or folder of frames with this name, ignoring leading zeros.

    Folders whose name is not a number are searched one level deep, which finds `part_1/7.mp4`.
    """
    found: dict[int, Path] = {}
    for entry in _visible_entries(folder):
        deeper = entry.is_dir() and not entry.name.isdecimal()
        for candidate in _visible_entries(Path(entry)) if deeper else [entry]:
            number = _number_of(candidate)
            if number is not None:
                found[number] = Path(candidate.path)
    return found


def _visible_entries(folder: Path) -> list[os.DirEntry[str]]:
    """Return the entries of a folder, sorted by name, without hidden ones."""
    with os.scandir(folder) as entries:
        return sorted((e for e in entries if not e.name.startswith(".")), key=lambda e: e.name)


def _number_of(entry: os.DirEntry[str]) -> int | None:
    """Return the number that names a video or folder; None for anything else."""
    # Some folders have many entries, and pathlib is several times slower than os.path.
    stem, suffix = os.path.splitext(entry.name)  # noqa: PTH122
    if not stem.isdecimal() or not (suffix.lower() in VIDEO_SUFFIXES or entry.is_dir()):
        return None
    return int(stem)


def safe_key(name: str) -> str:
    """Return a name with every character but letters, digits, '-' and '_' replaced by '-'."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", name)


def check_training_lists(
    name: str, tested: Mapping[str, set[str]], trained: Mapping[str, set[str]]
) -> None:
    """Check that each fold's training list contains exactly the clips it does not test.

    Args:
        name: the dataset, for the message.
        tested: fold -> clips of its test list.
        trained: fold -> clips of its training list.

    Raises:
        SvfapError: a training list differs; the message names the fold and a clip.
    """
    every = set().union(*tested.values())
    for fold, clips in trained.items():
        wrong = sorted(clips ^ (every - tested[fold]))
        if wrong:
            raise SvfapError(
                f"{name}: the training list of {fold} is not all clips outside its test list"
                f" ({len(wrong)} clips differ, such as {wrong[0]}); download the lists again"
            )


def unpacker(*places: str) -> Callable[[Path], None]:
    """Return a `Dataset.fetch` that unpacks the archives a user has put in place.

    Args:
        places: paths that a complete copy has. If all exist and no archive was ever unpacked here,
            the user unpacked the copy, and archives beside it are ignored.
    """

    def fetch(root: Path) -> None:
        from svfap.sources import archives

        # If some archives were unpacked here, look for more: an earlier run may have been
        # interrupted, or the user may have added archives since.
        if (root / archives.UNPACKED).exists() or not all(locate(root, place) for place in places):
            archives.unpack_all(root)

    return fetch
