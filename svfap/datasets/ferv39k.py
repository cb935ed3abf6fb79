"""FERV39k: 38,935 clips of 22 scenes with one of seven expressions, official split (paper 4.2.1).

Labels are read from the user's copy, because the licence forbids redistribution.
"""

import zlib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from svfap.datasets.dataset import Clip, Dataset, Fold
from svfap.datasets.facts import About, Published
from svfap.datasets.local_copy import require, safe_key, text_lines, unpacker
from svfap.errors import SvfapError

CLASSES = ("Happy", "Sad", "Neutral", "Angry", "Surprise", "Disgust", "Fear")
# The publisher splits clips into training and test. We divide both into parts, because parts are
# cropped in parallel.
TRAIN = tuple(f"train{number}" for number in range(1, 9))
TEST = ("test1", "test2")
SPLITS = "4_setups/All_scenes"
FRAMES = "2_ClipsforFaceCrop"
VIDEOS = "0_7_LabelClips"


def _clips(root: Path, *, media: str) -> Iterator[Clip]:
    """Yield the clips of all scenes; the hash of a clip's name decides its part."""
    splits, folder = require(root, SPLITS), require(root, media)
    for listing, parts in (("train_All.csv", TRAIN), ("test_All.csv", TEST)):
        for line in text_lines(splits / listing):
            name, _, emotion = line.replace("\\", "/").rpartition(" ")
            if emotion not in CLASSES:
                raise SvfapError(
                    f"{splits / listing}: '{line}' does not end in one of {', '.join(CLASSES)};"
                    " download the list again"
                )
            key = safe_key(name)
            part = parts[zlib.crc32(key.encode()) % len(parts)]
            path = folder / name if media == FRAMES else _raw_video(folder, name)
            yield Clip(key, path, part, target=(float(CLASSES.index(emotion)),))


def _raw_video(folder: Path, name: str) -> Path:
    """Return the path of a raw clip by its name, such as `Crime/Angry/0063`."""
    avi = folder / f"{name}.avi"
    return avi if avi.exists() else folder / f"{name}.mp4"


FERV39K = Dataset(
    name="FERV39k",
    task="classification",
    targets=CLASSES,
    parts=TRAIN + TEST,
    folds={"official": Fold(TRAIN, TEST)},
    clips=partial(_clips, media=FRAMES),
    fetch=unpacker(SPLITS, FRAMES),
    stride=1,
    metrics=("UAR", "WAR"),
    crop="frames",
    about=About(
        access="sign-up",
        people="people in videos of the internet, in 22 kinds of scenes; each clip labelled by 30"
        " annotators",
        licence="non-commercial research; no redistribution, derived data included",
        citation="Wang et al., FERV39k: A Large-Scale Multi-Scene Dataset for Facial Expression"
        " Recognition in Videos, CVPR 2022",
        homepage="https://wangyanckxx.github.io/Proj_CVPR2022_FERV39k.html",
        apply="apply by e-mail as https://github.com/wangyanckxx/FERV39k says",
        place=(SPLITS, FRAMES),
        remarks="clips have 8 to 47 frames, hence stride 1; the default uses the publisher's face"
        " frames",
    ),
    published=Published(
        clips=38_935,
        classes=(7327, 6916, 9748, 7393, 3140, 2300, 2111),
        folds={"official": (31_088, 7_847)},
        test_classes={"official": (1473, 1393, 1958, 1487, 638, 467, 431)},
    ),
)
FERV39K = replace(
    FERV39K,
    variants={
        "videos": replace(
            FERV39K,
            clips=partial(_clips, media=VIDEOS),
            fetch=unpacker(SPLITS, VIDEOS),
            crop="auto",
            about=replace(FERV39K.about, place=(SPLITS, VIDEOS)),
        )
    },
)
