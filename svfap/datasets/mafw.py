"""MAFW: 9,172 clips from films and web videos with one of eleven emotions (paper 4.2.1).

Labels are read from the user's copy, because the licence forbids redistribution.
"""

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
from svfap.errors import SvfapError

CLASSES = (
    "anger",
    "disgust",
    "fear",
    "happiness",
    "neutral",
    "sadness",
    "surprise",
    "contempt",
    "anxiety",
    "helplessness",
    "disappointment",
)
PARTS = ("set_1", "set_2", "set_3", "set_4", "set_5")
SPLITS = "Train & Test Set/single/no_caption"
FRAMES = ("data/frames", "frames")
VIDEOS = ("data/clips", "clips")


def _clips(root: Path, *, media: tuple[str, ...]) -> Iterator[Clip]:
    """Yield the single-labelled clips, in the order of the official test lists."""
    splits, folder = require(root, SPLITS), require(root, *media)
    tested = {part: _labels(splits / part / "test.txt") for part in PARTS}
    trained = {part: {*_labels(splits / part / "train.txt")} for part in PARTS}
    check_training_lists("MAFW", {part: {*clips} for part, clips in tested.items()}, trained)
    found = videos_by_number(folder)
    for part, labels in tested.items():
        for key, label in labels.items():
            target = (float(CLASSES.index(label)),)
            yield Clip(key, found.get(int(key), folder / key), part, target=target)


def _labels(path: Path) -> dict[str, str]:
    """Return five-digit clip name -> emotion, from lines such as `00025.mp4 happiness`."""
    labels = {}
    for line in text_lines(path):
        name, _, label = line.partition(" ")
        if label.strip() not in CLASSES:
            raise SvfapError(
                f"{path}: '{line}' does not end in one of {', '.join(CLASSES)};"
                " download the list again"
            )
        labels[f"{int(Path(name).stem):05d}"] = label.strip()
    return labels


MAFW = Dataset(
    name="MAFW",
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
        people="people in films, series and short videos; each clip labelled by eleven annotators",
        licence="non-commercial research; no redistribution, derived data included",
        citation="Liu et al., MAFW: A Large-scale, Multi-modal, Compound Affective Database for"
        " Dynamic Facial Expression Recognition in the Wild, ACM Multimedia 2022",
        homepage="https://mafw-database.github.io/MAFW",
        apply="sign mafw-academics-final.pdf of https://github.com/MAFW-database/MAFW and send it"
        " to the address there",
        place=(SPLITS, FRAMES[0]),
        remarks="9,172 of 10,045 clips have a single label; the default uses the publisher's face"
        " frames: frames extracted from the videos gave far lower results",
    ),
    published=Published(
        clips=9_172,
        classes=(1390, 639, 625, 1242, 1138, 1470, 1072, 236, 916, 262, 182),
        folds={
            "set_1": (7333, 1839),
            "set_2": (7335, 1837),
            "set_3": (7339, 1833),
            "set_4": (7340, 1832),
            "set_5": (7341, 1831),
        },
    ),
)
MAFW = replace(
    MAFW,
    variants={
        "videos": replace(
            MAFW,
            clips=partial(_clips, media=VIDEOS),
            fetch=unpacker(SPLITS, VIDEOS[0]),
            crop="auto",
            about=replace(MAFW.about, place=(SPLITS, VIDEOS[0])),
        )
    },
)
