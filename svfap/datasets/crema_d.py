"""CREMA-D: 7,442 acted clips of 91 actors with one of six emotions, five folds (paper 4.3.1)."""

import csv
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path

from svfap.datasets.dataset import Clip, Dataset, leave_one_part_out, nothing_to_fetch
from svfap.datasets.facts import About, Published
from svfap.datasets.local_copy import MissingFiles, locate, text_lines, videos_by_name
from svfap.datasets.verify import has_content

CODES = ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")
CLASSES = ("anger", "disgust", "fear", "happy", "neutral", "sad")
# Part -> its last actor.
LAST_ACTORS = {
    "actors1001-1018": 1018,
    "actors1019-1036": 1036,
    "actors1037-1054": 1054,
    "actors1055-1072": 1072,
    "actors1073-1091": 1091,
}
NAME = re.compile(r"(?P<actor>1\d{3})_[A-Z]{3}_(?P<emotion>[A-Z]{3})_[A-Z]{2}")
CLIP_LIST = "SentenceFilenames.csv"
FOLDER = "VideoFlash"
CLIPS = 7_442
ALIGNED = "face_aligned"
# As users found them: https://github.com/CheyneyComputerScience/CREMA-D/issues/8
BROKEN = {
    "1064_IEO_DIS_MD": "a minute with several emotions",
    "1064_TIE_SAD_XX": "no duration",
    "1076_MTI_NEU_XX": "no sound and hardly any frames",
    "1076_MTI_SAD_XX": "no face and no sound",
}
REPOSITORY = "https://raw.githubusercontent.com/CheyneyComputerScience/CREMA-D/master"
MEDIA = "https://media.githubusercontent.com/media/CheyneyComputerScience/CREMA-D/master"


def _clips(root: Path, *, aligned: bool = False) -> Iterator[Clip]:
    """Yield the clips of the publisher's list; without the list, the clips in the folder."""
    folder_name = ALIGNED if aligned else FOLDER
    folder = locate(root, folder_name) or root / folder_name
    found = {} if aligned else {path.stem: path for path in videos_by_name(folder).values()}
    for stem in _clip_names(root, folder):
        match = NAME.fullmatch(stem)
        if match and match["emotion"] in CODES:
            path = folder / stem if aligned else found.get(stem, folder / f"{stem}.flv")
            part = next(p for p, last in LAST_ACTORS.items() if int(match["actor"]) <= last)
            target = (float(CODES.index(match["emotion"])),)
            yield Clip(stem, path, part, match["actor"], target)


def _clip_names(root: Path, folder: Path) -> list[str]:
    """Return the names of the clips, without suffixes."""
    listing = locate(root, CLIP_LIST)
    if listing:
        return [row["Filename"] for row in csv.DictReader(text_lines(listing))]
    frame_folders = folder.glob("1*_*_*_*/")
    names = sorted(path.stem for path in chain(videos_by_name(folder).values(), frame_folders))
    if not names:
        raise MissingFiles(f"`{folder.name}/*.flv`")
    return names


def _fetch(root: Path) -> None:
    """Download the list of clips, then each missing clip, verified against its LFS pointer."""
    from svfap.sources import fetch
    from svfap.sources.lfs import describe_lfs_file
    from svfap.sources.parallel import fetch_all

    # A complete copy without the list of clips needs no download, so that offline machines work.
    if locate(root, FOLDER) and sum(has_content(clip.path) for clip in _clips(root)) == CLIPS:
        return
    listing = locate(root, CLIP_LIST) or fetch(f"{REPOSITORY}/{CLIP_LIST}", root / CLIP_LIST)
    missing = [clip.path for clip in _clips(listing.parent) if not has_content(clip.path)]
    downloads = []
    for path in missing:
        # A copy made by `git clone` without LFS has a pointer in the place of each video.
        path.unlink(missing_ok=True)
        name = f"{FOLDER}/{path.name}"
        downloads.append(
            partial(describe_lfs_file, f"{REPOSITORY}/{name}", f"{MEDIA}/{name}", path)
        )
    fetch_all(downloads, total=len(missing), label="CREMA-D")


CREMA_D = Dataset(
    name="CREMA-D",
    task="classification",
    targets=CLASSES,
    parts=tuple(LAST_ACTORS),
    folds=leave_one_part_out(LAST_ACTORS),
    clips=_clips,
    fetch=_fetch,
    crop="openface",
    stride=4,
    metrics=("UAR", "WAR"),
    about=About(
        access="open",
        people="91 actors, aged 20 to 74, who spoke sentences in each emotion; the label is the"
        " emotion that they intended",
        licence="ODbL 1.0 and DbCL 1.0",
        citation="Cao et al., CREMA-D: Crowd-sourced Emotional Multimodal Actors Dataset, IEEE"
        " TAC 5(4), 2014",
        homepage="https://github.com/CheyneyComputerScience/CREMA-D",
        apply="the stage `download` downloads it; its authors ask users to fill in the form on its"
        " page",
        place=(CLIP_LIST, FOLDER),
        remarks="the paper crops faces with OpenFace: variant `aligned`, `face_aligned/<clip>/`",
    ),
    published=replace(
        Published.cross_validation(
            dict(zip(LAST_ACTORS, (1463, 1470, 1476, 1476, 1557), strict=True)),
            classes=(1271, 1271, 1271, 1271, 1087, 1271),
            subjects=91,
        ),
        broken=BROKEN,
    ),
)
CREMA_D = replace(
    CREMA_D,
    variants={
        "aligned": replace(
            CREMA_D,
            clips=partial(_clips, aligned=True),
            fetch=nothing_to_fetch,
            crop="frames",
            about=replace(
                CREMA_D.about, access="own", place=(ALIGNED,), apply="run OpenFace on the videos"
            ),
        )
    },
)
