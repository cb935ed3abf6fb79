"""DFEW: 11,697 clips from films with one of seven expressions, official five folds (paper 4.2.1).

Labels are read from the user's copy, because the licence forbids redistribution.
"""

import csv
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from svfap.datasets.dataset import Clip, Dataset, leave_one_part_out
from svfap.datasets.facts import About, Published
from svfap.datasets.local_copy import (
    check_training_lists,
    require,
    text_lines,
    unpacker,
    videos_by_number,
)

CLASSES = ("happy", "sad", "neutral", "anger", "surprise", "disgust", "fear")
PARTS = ("set_1", "set_2", "set_3", "set_4", "set_5")
SPLITS = "EmoLabel_DataSplit"
FRAMES = ("Clip/clip_224x224", "Clip/jpg_256")
VIDEOS = ("Clip/original",)


def _clips(root: Path, *, media: tuple[str, ...]) -> Iterator[Clip]:
    """Yield the single-labelled clips, in the order of the official test lists."""
    splits, folder = require(root, SPLITS), require(root, *media)
    tested = {part: _labels(splits / "test(single-labeled)" / f"{part}.csv") for part in PARTS}
    trained = {part: {*_labels(splits / "train(single-labeled)" / f"{part}.csv")} for part in PARTS}
    check_training_lists("DFEW", {part: {*clips} for part, clips in tested.items()}, trained)
    found = videos_by_number(folder)
    for part, labels in tested.items():
        for key, label in labels.items():
            yield Clip(key, found.get(int(key), folder / key), part, target=(label - 1.0,))


def _labels(path: Path) -> dict[str, int]:
    """Return five-digit clip name -> label from 1 to 7."""
    rows = csv.DictReader(text_lines(path))
    return {f"{int(Path(row['video_name']).stem):05d}": int(row["label"]) for row in rows}


DFEW = Dataset(
    name="DFEW",
    task="classification",
    targets=CLASSES,
    parts=PARTS,
    folds=leave_one_part_out(PARTS),
    clips=partial(_clips, media=FRAMES),
    fetch=unpacker(SPLITS, FRAMES[0]),
    stride=4,
    metrics=("UAR", "WAR"),
    crop="frames",
    about=About(
        access="sign-up",
        people="people in films; each clip labelled by ten annotators",
        licence="non-commercial research; no redistribution, derived data included",
        citation="Jiang et al., DFEW: A Large-Scale Database for Recognizing Dynamic Facial"
        " Expressions in the Wild, ACM Multimedia 2020",
        homepage="https://dfew-dataset.github.io",
        apply="apply at https://dfew-dataset.github.io/download.html by e-mail from a university"
        " account",
        place=(SPLITS, FRAMES[0]),
        remarks="11,697 of 16,372 clips have a single label; the default uses the publisher's face"
        " frames, not the 16-frame time-aligned ones",
    ),
    published=Published(
        clips=11_697,
        classes=(2445, 1894, 2669, 2173, 1469, 145, 902),
        folds={
            "set_1": (9356, 2341),
            "set_2": (9356, 2341),
            "set_3": (9357, 2340),
            "set_4": (9358, 2339),
            "set_5": (9361, 2336),
        },
    ),
)
DFEW = replace(
    DFEW,
    variants={
        "videos": replace(
            DFEW,
            clips=partial(_clips, media=VIDEOS),
            fetch=unpacker(SPLITS, *VIDEOS),
            crop="auto",
            about=replace(DFEW.about, place=(SPLITS, *VIDEOS)),
        )
    },
)
