"""Lists of clips on YouTube as two corpora publish them, as rows of `id, start, end, subject`.

VoxCeleb2 has a folder of text files, `id00012/21Uxsk56VDQ/00001.txt`, each with the frames, at 25
a second, in which a face was followed. CelebV-HQ and CelebV-Text have one JSON file of `clips`.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from svfap.datasets.local_copy import lines, walk
from svfap.errors import SvfapError

COLUMNS = ("id", "start", "end", "subject")
VOXCELEB_RATE = 25

TrackRow = tuple[str, str, str, str]


def read(path: Path) -> Iterator[TrackRow]:
    """The clips of a folder of tracks, or of a JSON file.

    Raises:
        SvfapError: a file is not as expected.
    """
    yield from _voxceleb(path) if path.is_dir() else _celebv(path)


def _voxceleb(folder: Path) -> Iterator[TrackRow]:
    """One clip a file; the last frame is shown too."""
    for path in walk(folder):
        if path.suffix == ".txt":
            frames = [line.split()[0] for line in lines(path) if line[0].isdigit()]
            if len(path.parts) < 3 or not frames:
                raise SvfapError(f"{path}: is no track of VoxCeleb2; remove it")
            start, end = (int(frames[0]) / VOXCELEB_RATE, (int(frames[-1]) + 1) / VOXCELEB_RATE)
            subject, video = path.parts[-3:-1]
            yield video, f"{start:g}", f"{end:g}", subject


def _celebv(path: Path) -> Iterator[TrackRow]:
    """One clip an entry; who is seen is not known, and the video stands for it."""
    try:
        clips = json.loads(path.read_text(encoding="utf-8"))["clips"]
        for clip in clips.values():
            span = clip["duration"]
            video = str(clip["ytb_id"])
            yield video, str(span["start_sec"]), str(span["end_sec"]), video
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SvfapError(f"{path}: is no list of CelebV ({error!r}); get it anew") from None
