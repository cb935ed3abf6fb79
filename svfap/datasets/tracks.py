"""Read lists of clips on YouTube, as VoxCeleb2 and CelebV publish them, as rows of a listing.

VoxCeleb2 has a folder of text files, `id00012/21Uxsk56VDQ/00001.txt`. Each lists the frames, at 25
per second, in which a face was tracked. CelebV-HQ and CelebV-Text have one JSON file of `clips`.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from svfap.datasets.local_copy import text_lines, walk
from svfap.errors import SvfapError

VOXCELEB_FPS = 25  # VoxCeleb2 counts frames at this rate, whatever the rate on YouTube


class TrackRow(NamedTuple):
    """One clip as a row of a listing: YouTube id, start and end in seconds, person."""

    id: str
    start: str
    end: str
    subject: str


COLUMNS = TrackRow._fields


def read(path: Path) -> Iterator[TrackRow]:
    """Yield the clips in a folder of tracks, or in a JSON file.

    Raises:
        SvfapError: a file has another format.
    """
    yield from _read_voxceleb2(path) if path.is_dir() else _read_celebv(path)


def _read_voxceleb2(folder: Path) -> Iterator[TrackRow]:
    """Yield one clip per file."""
    for path in walk(folder):
        if path.suffix == ".txt":
            # Lines of frames start with the frame's number; the header and the names of columns
            # start with letters.
            frames = [line.split()[0] for line in text_lines(path) if line[0].isdigit()]
            if len(path.parts) < 3 or not frames:
                raise SvfapError(f"{path}: not a track file of VoxCeleb2; remove it")
            start = int(frames[0]) / VOXCELEB_FPS
            end = (int(frames[-1]) + 1) / VOXCELEB_FPS  # the last frame belongs to the clip
            # The files are in folders SUBJECT/VIDEO/.
            subject, video = path.parts[-3:-1]
            yield TrackRow(video, _seconds(start), _seconds(end), subject)


def _seconds(value: float) -> str:
    """Return a time as text with at most two decimals, which is exact at 25 frames per second."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _read_celebv(path: Path) -> Iterator[TrackRow]:
    """Yield one clip per entry; the person is unknown, so the video's id is the subject."""
    try:
        clips = json.loads(path.read_text(encoding="utf-8"))["clips"]
        for clip in clips.values():
            span = clip["duration"]
            video = str(clip["ytb_id"])
            yield TrackRow(video, str(span["start_sec"]), str(span["end_sec"]), video)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SvfapError(
            f"{path}: not a clip list of CelebV ({error!r}); download it again"
        ) from None
