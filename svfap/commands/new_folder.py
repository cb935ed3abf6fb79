"""A list of the videos in a folder, for the user to fill in: what `svfap new FOLDER` writes."""

import csv
from pathlib import Path

from svfap.datasets.local_copy import walk
from svfap.errors import SvfapError


def is_folder_of_videos(path: Path) -> bool:
    """Return whether a path is a folder, but not one of tracks, which is a list already."""
    return path.is_dir() and not any(file.suffix == ".txt" for file in walk(path))


def write_list(folder: Path) -> str:
    """Write a list of a folder's videos into the working folder; return what to do with it.

    The label is the name of the folder inside `folder`, if there are several.

    Raises:
        SvfapError: the folder holds no video, or the list exists.
    """
    from svfap.use.find_videos import find_videos  # loads OpenCV, which lists do without

    target = Path(f"{folder.resolve().name}.csv")
    if target.exists():
        raise SvfapError(
            f"{target}: exists, and is never overwritten; fill it in, then: svfap new {target}"
        )
    found = find_videos(folder)
    inside = {path: path.relative_to(folder).parts[:-1] for path in found.videos.values()}
    labels = {parts[0] if parts else "" for parts in inside.values()}
    with target.open("x", encoding="utf-8-sig", newline="") as file:  # Excel needs the mark
        writer = csv.writer(file)
        writer.writerow(("path", "label", "subject"))
        for path, parts in inside.items():
            writer.writerow((_shown(path), parts[0] if parts and len(labels) > 1 else "", ""))
    filled = len(labels) > 1
    lines = [f"{target}: written; it lists {len(inside):,} videos of {folder}"]
    if filled:
        lines.append(
            f"labels:   the names of its folders ({', '.join(sorted(labels))}); check them"
        )
    lines.append(f"fill in:  {'' if filled else 'label, and '}subject, who is in each video")
    if left_out := found.describe_left_out():
        lines.append(left_out)
    return "\n".join([*lines, f"next:     svfap new {target}"])


def _shown(path: Path) -> str:
    """Return a path relative to the list, which is in the working folder, if it is below it."""
    whole, here = path.absolute(), Path.cwd()
    return str(whole.relative_to(here) if whole.is_relative_to(here) else whole)
