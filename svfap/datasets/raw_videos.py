"""The raw videos of a dataset in the folder that is declared: links, or copies that have travelled.

The stage `download` makes `data/videos/DATASET/PART/KEY.mp4`, a link to the video of each clip,
wherever the user keeps it. On a machine to which only declared files travel, the folder holds the
videos themselves, and the stage `crop` reads them there.
"""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from svfap.datasets.collect import FAILED
from svfap.datasets.dataset import Clip, read_manifest
from svfap.replacing import arrived, link_files


def declare(manifest: Path, folder: Path) -> None:
    """Fill the declared folder with links to the videos of a manifest.

    Raises:
        OSError: a link cannot be made.
    """
    link_files(folder, _links(manifest))


def video_of(clip: Clip, folder: Path | None) -> Path:
    """Return where the video of a clip is on this machine.

    Args:
        clip: a clip of a manifest.
        folder: the declared folder; None if there is none.
    """
    copy = clip.path if folder is None else folder / _name(clip)
    return copy if arrived(copy) else clip.path


def failed_list(manifest: Path, folder: Path | None) -> Path:
    """Return the path of the list of videos that could not be downloaded or cut."""
    own = manifest.with_name(FAILED)
    return own if folder is None or own.exists() else folder / FAILED


def _links(manifest: Path) -> Iterator[tuple[str, Path]]:
    """Yield the name of each link and its target."""
    for clip in read_manifest(manifest):
        yield _name(clip), clip.path
    yield FAILED, manifest.with_name(FAILED)


def _name(clip: Clip) -> str:
    """Return the name of a clip's video below the folder; a key may have any letters."""
    return f"{clip.part}/{quote(clip.key, safe='').replace('.', '%2E')}{clip.path.suffix}"
