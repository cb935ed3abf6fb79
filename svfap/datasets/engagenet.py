"""EngageNet: clips of people at a screen with one of four levels of engagement (not in the paper).

The publisher splits the people into training, validation and test. Most published figures are of
the validation split, so the variant `validation` tests on it.
"""

import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from svfap.datasets.dataset import Clip, Dataset, Fold
from svfap.datasets.facts import AI_ACT, About, Published
from svfap.datasets.local_copy import MissingFiles, require, safe_key, unpacker, videos_by_name
from svfap.datasets.spreadsheet import read_table
from svfap.errors import SvfapError

CLASSES = ("Not-Engaged", "Barely-Engaged", "Engaged", "Highly-Engaged")
ABSENT = "snp"  # the label of a clip without its subject starts so; the authors leave it out too
# The publisher's splits; we divide training into parts, because parts are cropped in parallel.
TRAIN = tuple(f"train{number}" for number in range(1, 5))
VALIDATION = ("validation",)
TEST = ("test",)
PARTS = {"Train": TRAIN, "Validation": VALIDATION, "Test": TEST}
LISTS = {
    "Train": "train_engagement_labels.xlsx",
    "Validation": "validation_engagement_labels.xlsx",
    "Test": "test_engagement_labels.csv",
}
NAME = re.compile(r"(?P<person>subject_[^_]+)_.+")
NOTICE = (
    "Tested on the validation split, as most published figures are; settings chosen on it flatter"
    " the result."
)


def _list_of(root: Path, split: str) -> Path:
    """Return a split's list of labels, by the publisher's name or saved in the other format."""
    name = LISTS[split]
    return require(root, name, f"{name.rpartition('.')[0]}.{'xlsx' if split == 'Test' else 'csv'}")


def _clips(root: Path, *, splits: Sequence[str]) -> Iterator[Clip]:
    """Yield the labelled clips of some splits, wherever the videos were unpacked."""
    lists = {split: _list_of(root, split) for split in splits}
    found = videos_by_name(root)
    if not found:
        raise MissingFiles(f"`{splits[0]}/*.mp4`")
    for split, listing in lists.items():
        for row in read_table(listing, ("chunk", "label")):
            name, label = Path(row["chunk"]).name, row["label"].casefold().replace(" ", "-")
            match = NAME.fullmatch(name)
            levels = [level.casefold() for level in CLASSES]
            if not match or not (label in levels or label.startswith(ABSENT)):
                raise SvfapError(
                    f"{listing}: '{row['chunk']}' with label '{row['label']}' is not of EngageNet,"
                    " such as subject_7_as2uk9lhe2_vid_0_0.mp4 with Engaged; download it again"
                )
            if label in levels:
                person, parts = match["person"], PARTS[split]
                part = parts[zlib.crc32(person.encode()) % len(parts)]
                path = found.get(name, listing.parent / split / name)
                target = (float(levels.index(label)),)
                yield Clip(safe_key(Path(name).stem), path, part, person, target)


ENGAGENET = Dataset(
    name="EngageNet",
    task="classification",
    targets=CLASSES,
    parts=TRAIN + VALIDATION + TEST,
    folds={"official": Fold(TRAIN, TEST, VALIDATION)},
    clips=partial(_clips, splits=tuple(PARTS)),
    fetch=unpacker(*LISTS.values(), *PARTS),
    stride=16,
    metrics=("WAR", "UAR"),
    notice=AI_ACT,
    about=About(
        access="sign-up",
        people="127 people, aged 18 to 37, at online tasks at home; the level is what three"
        " annotators saw",
        licence="unknown; ask its authors",
        citation="Singh et al., Do I Have Your Attention: A Large Scale Engagement Prediction"
        " Dataset and Baselines, ICMI 2023",
        homepage="https://github.com/engagenet/engagenet_baselines",
        apply="write to the addresses on https://github.com/engagenet/engagenet_baselines",
        place=(*LISTS.values(), *PARTS),
        remarks="11,311 clips of 10 s: 7,983 of 90 people for training, 1,071 of 11 for validation,"
        " 2,257 of 26 for testing; clips labelled SNP (subject not present) are left out, and how"
        " many they are is not published; stride 16, which covers most of a clip, is ours;"
        " PriorNet (arXiv 2605.03615) shows black frames where no face is found: `crop.missing:"
        " blank`",
    ),
    published=Published(at_most=11_311),
)
ENGAGENET = replace(
    ENGAGENET,
    variants={
        "validation": replace(
            ENGAGENET,
            parts=TRAIN + VALIDATION,
            folds={"validation": Fold(TRAIN, VALIDATION)},
            clips=partial(_clips, splits=("Train", "Validation")),
            published=Published(at_most=7_983 + 1_071),
            notice=f"{NOTICE} {AI_ACT}",
        )
    },
)
