"""Find the videos of a folder: files that decode, and folders of frames, at any depth."""

import re
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path

from svfap.errors import SvfapError
from svfap.sources.addresses import why_no_path
from svfap.use.results import is_output
from svfap.video.decode import IMAGE_SUFFIXES
from svfap.video.recognise import VIDEO_NAMES
from svfap.video.shield import Shield

_SHOWN = 3  # files to name in a message


@dataclass
class FoundVideos:
    """The videos below a path, and what else is there.

    Attributes:
        videos: printable name -> video file or folder of frames.
        left_out: printable name -> why this file or folder is no video.
        left_out_paths: printable name -> the file or folder.
    """

    videos: dict[str, Path] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    left_out_paths: dict[str, Path] = field(default_factory=dict)

    def describe_left_out(self) -> str:
        """Return a line on what was left out; an empty text if that is nothing."""
        named = [f"{name} ({why})" for name, why in self.left_out.items()]
        more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
        return f"left out: {', '.join(named[:_SHOWN])}{more}" if named else ""


def find_videos(source: str | Path) -> FoundVideos:
    """Find the videos at a path.

    Args:
        source: a video, a folder of frames, or a folder with such videos at any depth. Links are
            followed. In a folder, every file that decodes is a video, whatever its name. A file
            with the name of a video counts as one even if it does not decode.

    Raises:
        SvfapError: the path is blank or cannot be read, or holds no video.
    """
    if not str(source).strip():
        raise SvfapError("the name of the video is blank; name a video, a folder or a camera")
    path = Path(source)
    try:
        exists = path.exists()
    except OSError as error:  # such as a name that is too long, or a folder closed to the user
        raise SvfapError(f"{source}: cannot be read ({error.strerror})") from None
    if not exists:
        # A path has one slash where an address has two.
        of_web = re.match(r"https?:/", str(source), re.IGNORECASE)
        advice = why_no_path(str(source)) or "name a video, a folder or a camera"
        if of_web:
            advice = "addresses are not read, so download the video first"
        elif str(source).startswith("~"):
            advice = "only a shell knows ~, so write the whole path"
        elif "*" in str(source):
            advice = "patterns are not searched for, so name the folder"
        raise SvfapError(f"{source}: no such file or folder; {advice}")
    found = FoundVideos()
    if path.is_file():
        found.videos[printable(path.name)] = path
        return found
    if not path.is_dir():
        raise SvfapError(f"{source}: neither a file nor a folder; name a video or a folder")
    with Shield() as shield:
        _search(path, path, found, frozenset(), shield)
    if not found.videos:
        reason = found.describe_left_out() or "it is empty"
        raise SvfapError(f"{path}: no video in this folder; {reason}")
    return found


def find_all(sources: Iterable[str | Path]) -> FoundVideos:
    """Find the videos at several paths, each once; a number tells equal names apart.

    Raises:
        SvfapError: one of the paths is none that `find_videos` takes.
    """
    every, known = FoundVideos(), set[Path]()
    for source in sources:
        found = find_videos(source)
        places = {name: path.resolve() for name, path in found.videos.items()}
        for name, path in found.videos.items():
            if places[name] not in known:
                every.videos[unused(name, every.videos)] = path
        for name, why in found.left_out.items():
            own = unused(name, every.left_out)
            every.left_out[own], every.left_out_paths[own] = why, found.left_out_paths[name]
        known.update(places.values())
    return every


def _search(
    folder: Path,
    root: Path,
    found: FoundVideos,
    above: frozenset[tuple[int, int]],
    shield: Shield,
) -> bool:
    """Add the videos of a folder to `found`; return whether there are any.

    Args:
        folder: the folder to search.
        root: the folder that names are relative to.
        found: takes what is found.
        above: device and inode of the folders above, which a link may lead back to.
        shield: reads files that may be videos.
    """
    status = folder.stat()
    here = above | {(status.st_dev, status.st_ino)}
    pictures, any_video = [], False
    for path in _entries(folder, root, found):
        if path.is_dir():
            inside = path.stat()
            if (inside.st_dev, inside.st_ino) in here:
                _leave_out(path, root, found, "a link to a folder that it lies in")
            elif is_output(path):
                _leave_out(path, root, found, "results of an earlier call")
            else:
                any_video |= _search(path, root, found, here, shield)
        elif path.suffix.lower() in IMAGE_SUFFIXES:
            pictures.append(path)
        elif reason := _why_no_video(path, shield):
            _leave_out(path, root, found, reason)
        else:
            any_video = True
            found.videos[_unused_name(path, root, found)] = path
    if pictures and not any_video:
        found.videos[_unused_name(folder, root, found)] = folder
    elif pictures:
        for path in pictures:
            _leave_out(path, root, found, "a picture beside videos")
    return any_video or bool(pictures)


def _entries(folder: Path, root: Path, found: FoundVideos) -> Iterator[Path]:
    """Yield the visible entries of a folder, sorted."""
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        _leave_out(folder, root, found, f"cannot be read ({error.strerror})")
        return
    yield from (path for path in paths if not path.name.startswith("."))


def _why_no_video(path: Path, shield: Shield) -> str:
    """Return why a file is no video; an empty text if it is one, or has the name of one."""
    if path.is_symlink() and not path.exists():
        return "a link to a file that does not exist"
    if not path.is_file():
        return "not a file"
    return "" if path.suffix.lower() in VIDEO_NAMES else shield.why_no_video(path)


def _leave_out(path: Path, root: Path, found: FoundVideos, reason: str) -> None:
    name = _name(path, root)
    found.left_out[name], found.left_out_paths[name] = reason, path


def _unused_name(path: Path, root: Path, found: FoundVideos) -> str:
    """Return a printable name that no other video has: escapes may make two names equal."""
    return unused(_name(path, root), found.videos)


def unused(name: str, taken: Container[str]) -> str:
    """Return a name, with a number if it is taken."""
    numbered = (f"{name} ({number})" for number in count(2))
    return next(n for n in chain([name], numbered) if n not in taken)


def _name(path: Path, root: Path) -> str:
    """Return the printable name of a path relative to a folder; that folder has its own name."""
    inside = path.relative_to(root).as_posix()
    return printable(inside if path != root else path.resolve().name or "frames")


def printable(name: str) -> str:
    """Return a file's name in one line, with control characters and invalid UTF-8 escaped."""
    escaped = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
    return "".join(escaped)
