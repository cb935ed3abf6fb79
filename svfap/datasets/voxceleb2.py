"""VoxCeleb2: 1,092,009 talking faces without labels, to pre-train on (paper 4.1).

This is the development set only; the test set, which has other speakers, is left out. The hash of a
speaker's name selects one of 64 parts, so that a million clips are cropped side by side and an
interrupted run resumes part by part. A list of clips, `clips.txt` with one path per line, saves the
walk through a million files.
"""

import os
import zlib
from collections.abc import Iterator
from pathlib import Path

from svfap.datasets.dataset import Clip, Dataset
from svfap.datasets.facts import About, Published
from svfap.datasets.local_copy import MissingFiles, locate, require, unpacker

PARTS = tuple(f"speakers{number:02d}" for number in range(64))
VIDEOS = "dev/mp4"
LISTING = "clips.txt"
CLIPS = 1_092_009


def _clips(root: Path) -> Iterator[Clip]:
    """Yield the clips, such as `dev/mp4/id08423/oEx3CRfDXMQ/00048.mp4`, sorted by name."""
    listing = locate(root, LISTING)
    if listing:
        with listing.open(encoding="utf-8") as file:
            for line in filter(None, map(str.strip, file)):
                yield _clip(listing.parent / line)
        return
    count = 0
    for speaker in _sorted_entries(require(root, VIDEOS)):
        for video in _sorted_entries(speaker):
            for path in _sorted_entries(video):
                if path.endswith(".mp4"):
                    count += 1
                    yield _clip(Path(path))
    if not count:
        raise MissingFiles(f"`{VIDEOS}/id00012/21Uxsk56VDQ/00001.mp4`")


def _clip(path: Path) -> Clip:
    """Return the clip of a path that ends in `<speaker>/<video>/<number>.mp4`."""
    speaker, video = path.parts[-3:-1]
    part = PARTS[zlib.crc32(speaker.encode()) % len(PARTS)]
    return Clip(f"{speaker}-{video}-{path.stem}", path, part, speaker)


def _sorted_entries(folder: str | Path) -> list[str]:
    """Return the paths in a folder, or none if it is a stray file.

    It uses `os.scandir` and text instead of `Path.iterdir`: the walk visits a million files.
    """
    if not Path(folder).is_dir():
        return []
    with os.scandir(folder) as entries:
        return sorted(entry.path for entry in entries if not entry.name.startswith("."))


VOXCELEB2 = Dataset(
    name="VoxCeleb2",
    task="unlabelled",
    targets=(),
    parts=PARTS,
    folds={},
    clips=_clips,
    fetch=unpacker(VIDEOS),
    stride=4,
    metrics=(),
    crop="voxceleb2",
    about=About(
        access="sign-up",
        people="celebrities in interviews and other videos that a program found on YouTube; no"
        " labels",
        licence="see its page",
        citation="Chung et al., VoxCeleb2: Deep Speaker Recognition, Interspeech 2018",
        homepage="https://mm.kaist.ac.kr/datasets/voxceleb/",
        apply="fill in the form at https://mm.kaist.ac.kr/datasets/voxceleb/ with a non-personal"
        " address and take the video of the development set",
        place=(VIDEOS,),
        remarks="145,569 videos; 283 clips are known to be damaged and become rejects; the paper"
        " uses the upper central 160 x 160 pixels of 224 x 224; clips.txt may list the clips",
    ),
    published=Published(clips=CLIPS),
)
