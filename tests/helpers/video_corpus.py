"""A corpus of odd videos, made by the packaged ffmpeg: every kind of file that users hand over.

A recipe is one line of `video_corpus.txt`: the file's name, the arguments of ffmpeg, and a patch of
the bytes after `|`. Words in capitals stand for sources, see `_SOURCES`; `$name` is another file of
the corpus. The first line of each group names the kind. Files that begin with `*` are read every
day, all others by the slow tests.
"""

import shlex
import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg  # type: ignore[import-untyped]

_SOURCES = {
    "VIDEO": "-f lavfi -i testsrc2=s=96x72:r=25:d=2.4,gblur=2",
    "SHOT": "-f lavfi -i smptebars=s=96x72:r=25:d=2.4,gblur=2",
    "LARGE": "-f lavfi -i testsrc2=s=192x144:r=25:d=2.4,gblur=2",
    "WIDE": "-f lavfi -i testsrc2=s=160x72:r=25:d=2.4,gblur=2",
    "CIF": "-f lavfi -i testsrc2=s=176x144:r=25:d=2.4,gblur=2",
    "FIFTY": "-f lavfi -i testsrc2=s=96x72:r=50:d=2.4,gblur=2",
    "SOUND": "-f lavfi -i sine=d=2.4:r=44100",
    "COVER": "-f lavfi -i color=red:s=120x90:d=0.04",
    "X264": "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -threads 1 -bf 2 -g 25",
    "COPY": "-c copy -map 0",
}
_RECIPES = Path(__file__).with_suffix(".txt")


@dataclass(frozen=True)
class Recipe:
    """How to make one file.

    Attributes:
        name: name of the file.
        kind: what it is an example of.
        arguments: arguments of ffmpeg, without the file's name.
        patch: what to do with the bytes: a function of this module, and its arguments.
        everyday: whether it is tested every day.
    """

    name: str
    kind: str
    arguments: tuple[str, ...]
    patch: tuple[str, ...]
    everyday: bool


def _recipes() -> dict[str, Recipe]:
    recipes, kind = {}, ""
    for line in _RECIPES.read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            kind = line[2:]
            continue
        words, _, patch = line.partition(" | ")
        name, arguments = words.split(maxsplit=1)
        filled = shlex.split(" ".join(_SOURCES.get(word, word) for word in arguments.split()))
        recipe = Recipe(name.lstrip("*"), kind, (*filled,), (*patch.split(),), name[0] == "*")
        recipes[recipe.name] = recipe
    return recipes


RECIPES = _recipes()


class Corpus:
    """Makes the files of the corpus in a folder, each when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(self, name: str) -> Path:
        """Return the path of a file of the corpus."""
        path, recipe = self._folder / name, RECIPES[name]
        if path.exists():
            return path
        arguments: list[str] = []
        for word in recipe.arguments:
            if word.startswith("$"):
                named = arguments[-1:] == ["-attach"]
                arguments += [*([] if named else ["-i"]), str(self.make(word[1:]))]
            else:
                arguments.append(word)
        binary = imageio_ffmpeg.get_ffmpeg_exe()
        command = [binary, "-nostdin", "-y", "-loglevel", "error", *arguments, str(path)]
        done = subprocess.run(command, capture_output=True, check=False, text=True)
        assert done.returncode == 0, f"{name}: {done.stderr}"
        if recipe.patch:
            function, *words = recipe.patch
            path.write_bytes(PATCHES[function](self, path.read_bytes(), *words))
        return path


def _matrix(_: Corpus, data: bytes, *numbers: str) -> bytes:
    """Set the linear part of the display matrix in the header of the first track of an mp4."""
    a, b, c, d = (int(number) << 16 for number in numbers)
    start = data.index(b"tkhd") + 44
    matrix = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    return data[:start] + matrix + data[start + len(matrix) :]


def _join(corpus: Corpus, data: bytes, name: str) -> bytes:
    """Append another file of the corpus."""
    return data + corpus.make(name).read_bytes()


def _join_flv(corpus: Corpus, data: bytes, name: str) -> bytes:
    """Append the tags of another FLV file, without its header of 9 bytes and the size before it."""
    return data + corpus.make(name).read_bytes()[13:]


def _damage(_: Corpus, data: bytes, first: str, last: str) -> bytes:
    """Overwrite a part of the file, given in shares of its length."""
    start, end = (round(float(share) * len(data)) for share in (first, last))
    return data[:start] + b"\xa5" * (end - start) + data[end:]


def _cut(_: Corpus, data: bytes, share: str) -> bytes:
    """Keep a share of the file."""
    return data[: round(float(share) * len(data))]


def _skip(_: Corpus, data: bytes, share: str) -> bytes:
    """Remove a share of the file at its beginning."""
    return data[round(float(share) * len(data)) :]


def _drop(_: Corpus, data: bytes, size: str, every: str) -> bytes:
    """Remove every n-th packet of a size, but the first."""
    length, step = int(size), int(every)
    packets = (data[start : start + length] for start in range(0, len(data), length))
    return b"".join(packet for number, packet in enumerate(packets, 1) if number % step)


def _disable(_: Corpus, data: bytes) -> bytes:
    """Clear the flags of the first track of an mp4, so that players do not show it."""
    start = data.index(b"tkhd") + 5
    return data[:start] + bytes(3) + data[start + 3 :]


def _prepend(_: Corpus, data: bytes, count: str) -> bytes:
    """Put noise in front of the file."""
    return b"\xa5" * int(count) + data


def _replace(_: Corpus, data: bytes, old: str, new: str) -> bytes:
    """Replace a text by another of the same length, which may have escapes."""
    replacement = new.encode().decode("unicode_escape").encode("latin-1")
    assert len(replacement) == len(old)
    assert old.encode() in data
    return data.replace(old.encode(), replacement)


PATCHES: dict[str, Callable[..., bytes]] = {
    "matrix": _matrix,
    "join": _join,
    "join_flv": _join_flv,
    "damage": _damage,
    "cut": _cut,
    "drop": _drop,
    "disable": _disable,
    "prepend": _prepend,
    "skip": _skip,
    "replace": _replace,
}
