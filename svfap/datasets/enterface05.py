"""eNTERFACE05: 1,287 acted clips of 43 subjects with one of six emotions, five folds (paper 4.3.1).

Emotion, subject and sentence are read from the folder names: file names are less regular, and one,
`s16_su_3avi`, lacks the dot before its suffix. Subject 6 has no sentences and is left out.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from svfap.datasets.dataset import Clip, Dataset, leave_one_part_out
from svfap.datasets.facts import About, Published
from svfap.datasets.local_copy import MissingFiles, locate, walk
from svfap.datasets.verify import has_content

CLASSES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
# Part -> its last subject.
LAST_SUBJECTS = {
    "subjects01-10": 10,
    "subjects11-19": 19,
    "subjects20-28": 28,
    "subjects29-37": 37,
    "subjects38-44": 44,
}
CLIPS = 1_287
PLACE = re.compile(
    r"subject ?(?P<subject>\d+)/(?P<emotion>[a-z]+)/sentence ?(?P<sentence>\d)/[^/]+avi$",
    flags=re.IGNORECASE,
)
WITHOUT_SENTENCES = 6
FOLDER = "enterface database"
ALIGNED = "face_aligned"
ARCHIVE = "https://enterface.net/enterface05/docs/results/databases/project2_database.zip"


def _clips(root: Path, *, aligned: bool = False) -> Iterator[Clip]:
    """Yield the clips found in the folders of subjects, emotions and sentences."""
    folder = root if aligned else locate(root, FOLDER) or root
    count = 0
    for path in walk(folder):
        match = PLACE.search(path.as_posix())
        if match and int(match["subject"]) != WITHOUT_SENTENCES:
            count += 1
            subject, emotion = int(match["subject"]), match["emotion"].lower()
            key = f"s{subject:02d}_{emotion[:2]}_{match['sentence']}"
            part = next(p for p, last in LAST_SUBJECTS.items() if subject <= last)
            target = (float(CLASSES.index(emotion)),)
            video = root / ALIGNED / key if aligned else path
            yield Clip(key, video, part, f"{subject:02d}", target)
    if not count:
        raise MissingFiles(f"`{FOLDER}/subject 1/anger/sentence 1/s1_an_1.avi`")


def _fetch(root: Path) -> None:
    """Download and unpack the archive unless all clips are present."""
    from svfap.sources import archives
    from svfap.sources.parallel import RemoteFile, fetch_all

    try:
        if sum(has_content(clip.path) for clip in _clips(root)) >= CLIPS:
            return
    except MissingFiles:
        pass
    path = root / ARCHIVE.rpartition("/")[2]
    is_ours = not path.exists()
    if is_ours:
        fetch_all([RemoteFile(ARCHIVE, path)], total=1, label="eNTERFACE05")
    archives.unpack(path, root, keep=lambda name: name.lower().endswith("avi"))
    if is_ours:  # keep an archive that the user downloaded
        path.unlink()


ENTERFACE05 = Dataset(
    name="eNTERFACE05",
    task="classification",
    targets=CLASSES,
    parts=tuple(LAST_SUBJECTS),
    folds=leave_one_part_out(LAST_SUBJECTS),
    clips=_clips,
    fetch=_fetch,
    crop="openface",
    stride=4,
    metrics=("UAR", "WAR"),
    about=About(
        access="open",
        people="people of 14 nations, 81 % men, who reacted to a story for each emotion, which is"
        " the label; kept where two experts found it unambiguous",
        licence="none stated; the site calls it publicly available for scientific research",
        citation="Martin et al., The eNTERFACE'05 Audio-Visual Emotion Database, ICDE Workshops"
        " 2006",
        homepage="https://enterface.net/enterface05/docs/results/databases/",
        apply="the stage `download` downloads it",
        place=(FOLDER,),
        remarks="the paper names no folds; these are the folds of the authors' MAE-DFER; subject"
        " 23 has 27 clips; the paper crops faces with OpenFace: variant `aligned`",
    ),
    published=Published.cross_validation(
        dict(zip(LAST_SUBJECTS, (270, 270, 267, 270, 210), strict=True)),
        classes=(215, 215, 215, 212, 215, 215),
        subjects=43,
    ),
)
ENTERFACE05 = replace(
    ENTERFACE05,
    variants={"aligned": replace(ENTERFACE05, clips=partial(_clips, aligned=True), crop="frames")},
)
