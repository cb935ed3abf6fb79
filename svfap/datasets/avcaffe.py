"""AVCAffe: arousal and valence of remote workers in five classes each (paper 4.3.1).

Labels and scores belong to videos. A video shows one person at one task for some minutes. Training
uses segments of six seconds; a video's score is the mean over its segments. The publisher split the
participants into training and test.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from svfap.datasets.dataset import Clip, Dataset, Fold
from svfap.datasets.facts import About, Published
from svfap.datasets.local_copy import MissingFiles, require, safe_key, text_lines, unpacker
from svfap.errors import SvfapError

AROUSAL = ("Excited", "Wide-awake", "Neutral", "Dull", "Calm")
VALENCE = ("Pleasant", "Pleased", "Neutral", "Unsatisfied", "Unpleasant")
TEST_NUMBERS = frozenset(
    {1, 2, 13, 14, 43, 44, 53, 54, 57, 58, 63, 64, 67, 68, 77, 78, 99, 100, 107, 108}
)
# The publisher splits clips into training and test. We divide both into parts, because parts are
# cropped in parallel.
TRAIN = tuple(f"train{number}" for number in range(1, 9))
TEST = ("test1", "test2")
PERSON = re.compile(r"aiim(?P<number>\d{3})")
LABELS = "ground_truths"
VIDEOS = "videos/shorter_segments"
FACES = "face_crops/shorter_segments_face"


def _clips(root: Path, *, scale: str, classes: tuple[str, ...], media: str) -> Iterator[Clip]:
    """Yield the segments of all labelled videos: `<media>/aiim001/task_1/<segment>`."""
    labels = _labels(require(root, LABELS) / f"{scale}.txt", classes)
    folder = require(root, media)
    count = 0
    for segment in sorted(folder.glob("aiim*/task_*/*")):
        person, task = segment.parts[-3:-1]
        video = f"{person}_{task}"
        match = PERSON.fullmatch(person)
        if match and video in labels and not segment.name.startswith("."):
            count += 1
            number = int(match["number"])
            parts = TEST if number in TEST_NUMBERS else TRAIN
            key = safe_key(f"{video}-{segment.stem}")
            yield Clip(key, segment, parts[number % len(parts)], person, labels[video], video)
    if not count:
        raise MissingFiles(f"`{media}/aiim001/task_1/*`")


def _labels(path: Path, classes: tuple[str, ...]) -> dict[str, tuple[float]]:
    """Return video -> class index, from lines such as `aiim001_task_1, Excited`."""
    labels = {}
    for line in text_lines(path):
        video, _, label = (cell.strip() for cell in line.partition(","))
        if label not in classes:
            raise SvfapError(
                f"{path}: '{line}' does not end in one of {', '.join(classes)};"
                " download the list again"
            )
        labels[video] = (float(classes.index(label)),)
    return labels


def _dataset(scale: str, classes: tuple[str, ...], media: str) -> Dataset:
    return Dataset(
        name=f"AVCAffe-{scale}",
        task="classification",
        targets=classes,
        parts=TRAIN + TEST,
        folds={"official": Fold(TRAIN, TEST)},
        clips=partial(_clips, scale=scale, classes=classes, media=media),
        fetch=unpacker(LABELS, media),
        stride=4,
        metrics=("WF1",),  # weighted F1, the metric of the paper's AVCAffe table
        crop="frames" if media == FACES else "openface",
        about=replace(ABOUT, place=(LABELS, media)),
        published=Published(clips=58_112, subjects=106),
    )


ABOUT = About(
    access="sign-up",
    people="people of 18 countries at tasks in video calls; labels are what they reported of"
    " themselves after each task",
    licence="Database License Agreement, academic use only",
    citation="Sarkar et al., AVCAffe: A Large Scale Audio-Visual Dataset of Cognitive Load and"
    " Affect for Remote Work, AAAI 2023",
    homepage="https://pritamqu.github.io/AVCAffe",
    apply="request it at https://doi.org/10.5683/SP3/PSWY62 from an institutional account; a"
    " holder of a permanent academic position signs, and access lasts 30 days",
    remarks="86 people train and 20 test, 108 hours, 7 tasks; the paper names no frame stride,"
    " 4 is ours",
)
AVCAFFE_AROUSAL = replace(
    _dataset("arousal", AROUSAL, VIDEOS), variants={"faces": _dataset("arousal", AROUSAL, FACES)}
)
AVCAFFE_VALENCE = replace(
    _dataset("valence", VALENCE, VIDEOS), variants={"faces": _dataset("valence", VALENCE, FACES)}
)
