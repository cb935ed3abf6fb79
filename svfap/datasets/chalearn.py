"""ChaLearn First Impressions: apparent personality of 10,000 video bloggers (paper 4.4)."""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from svfap.datasets.dataset import Clip, Dataset, Fold
from svfap.datasets.facts import About, Published
from svfap.datasets.local_copy import require, safe_key, unpacker, videos_by_name
from svfap.datasets.plain_pickle import UNPICKLING_ERRORS, load_plain
from svfap.errors import SvfapError

TRAITS = ("openness", "conscientiousness", "extraversion", "agreeableness", "neuroticism")
TRAIN = tuple(f"train{number}" for number in range(1, 5))  # our parts, to crop side by side
VALIDATION = ("validation",)
TEST = ("test",)
SPLITS = {"training": TRAIN, "validation": VALIDATION, "test": TEST}
FACES = {
    "training": "train_data_face",
    "validation": "valid_data_face",
    "test": "test_data_face",
}
ANNOTATIONS = "annotation_training.pkl"
ANY_VIDEO = "*.mp4"


def read_annotations(path: Path) -> Mapping[str, Mapping[str, float]]:
    """Return trait -> video -> score from one of the publisher's pickles.

    The files also hold the score `interview`, which nothing here uses.

    Raises:
        SvfapError: the file is not a pickle, or contains more than dictionaries, text and numbers.
    """
    try:
        content: Any = load_plain(path.read_bytes())
        return {
            str(trait): {str(video): float(score) for video, score in scores.items()}
            for trait, scores in content.items()
            if trait in TRAITS
        }
    except UNPICKLING_ERRORS as error:
        raise SvfapError(
            f"{path}: not the official annotations ({error}); nothing in the file was run;"
            " download it again"
        ) from None


def _clips(root: Path, *, faces: bool = False) -> Iterator[Clip]:
    """Yield the annotated videos, wherever their archives were unpacked."""
    annotation_folder = require(root, ANNOTATIONS).parent
    found = {} if faces else videos_by_name(root, {".mp4"})
    for split, parts in SPLITS.items():
        annotations = read_annotations(require(root, f"annotation_{split}.pkl"))
        missing = [trait for trait in TRAITS if trait not in annotations]
        if missing:
            raise SvfapError(
                f"{annotation_folder}: annotation_{split}.pkl has no {missing[0]};"
                " download the annotations again"
            )
        folder = require(root, FACES[split]) if faces else annotation_folder / split
        for video in sorted(annotations[TRAITS[0]]):
            stem = video.removesuffix(".mp4")
            path = folder / stem if faces else found.get(video, folder / video)
            part = parts[zlib.crc32(stem.encode()) % len(parts)]
            scores = tuple(annotations[trait][video] for trait in TRAITS)
            yield Clip(safe_key(stem), path, part, target=scores)


CHALEARN = Dataset(
    name="ChaLearn",
    task="regression",
    targets=TRAITS,
    parts=TRAIN + VALIDATION + TEST,
    folds={"official": Fold(TRAIN, TEST, VALIDATION)},
    clips=_clips,
    fetch=unpacker(ANNOTATIONS, "annotation_test.pkl", ANY_VIDEO),
    stride=4,
    metrics=("CCC", "ACC"),
    raw_targets=True,  # from 0 to 1
    about=About(
        access="sign-up",
        people="people who talk to a camera on YouTube; labels are impressions of crowd workers",
        licence="research only",
        citation="Ponce-Lopez et al., ChaLearn LAP 2016: First Round Challenge on First"
        " Impressions, ECCV Workshops 2016",
        homepage="https://chalearnlap.cvc.uab.cat/dataset/24/description/",
        apply="register at https://chalearnlap.cvc.uab.cat/dataset/24/description/; its zips are"
        " encrypted",
        place=(*(f"annotation_{split}.pkl" for split in SPLITS), "the videos in any folders"),
        remarks="the paper names no frame stride, 4 is ours; of one training video,"
        " xyWpSrfFlQw.004, users report that the annotation is missing",
    ),
    published=Published(clips=10_000, folds={"official": (8_000, 2_000)}),
)
CHALEARN = replace(
    CHALEARN,
    variants={
        "faces": replace(
            CHALEARN,
            clips=partial(_clips, faces=True),
            fetch=unpacker(ANNOTATIONS),
            crop="frames",
            about=replace(CHALEARN.about, place=(*CHALEARN.about.place[:3], *FACES.values())),
        )
    },
)
