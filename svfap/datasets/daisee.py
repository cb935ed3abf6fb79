"""DAiSEE: clips of students at a screen with one of four levels of engagement (not in the paper).

The publisher splits the people into training, validation and test. Its lists also have levels of
boredom, confusion and frustration, which are not used here.
"""

import zlib
from collections.abc import Iterator
from pathlib import Path

from svfap.datasets.dataset import Clip, Dataset, Fold
from svfap.datasets.facts import AI_ACT, About, Published
from svfap.datasets.local_copy import require, safe_key, unpacker, videos_by_name
from svfap.datasets.spreadsheet import read_table
from svfap.errors import SvfapError

CLASSES = ("very low", "low", "high", "very high")
# The publisher's splits; we divide training into parts, because parts are cropped in parallel.
TRAIN = tuple(f"train{number}" for number in range(1, 5))
VALIDATION = ("validation",)
TEST = ("test",)
PARTS = {"Train": TRAIN, "Validation": VALIDATION, "Test": TEST}
LABELS = "Labels"
VIDEOS = "DataSet"
PERSON_DIGITS = 6  # of a clip's ten digits, the first six are its person


def _clips(root: Path) -> Iterator[Clip]:
    """Yield the labelled clips: `DataSet/<split>/<person>/<clip>/<clip>.avi`."""
    labels, videos = require(root, LABELS), require(root, VIDEOS)
    # Lists and files disagree on the suffixes of some clips.
    found = {path.stem: path for path in videos_by_name(videos).values()}
    for split, parts in PARTS.items():
        listing = labels / f"{split}Labels.csv"
        for row in read_table(listing, ("ClipID", "Engagement")):
            stem, level = Path(row["ClipID"]).stem, row["Engagement"]
            if level not in {"0", "1", "2", "3"}:
                raise SvfapError(
                    f"{listing}: clip '{stem}' has the level '{level}', not one of 0 to 3;"
                    " download the list again"
                )
            person = stem[:PERSON_DIGITS]
            part = parts[zlib.crc32(person.encode()) % len(parts)]
            path = found.get(stem, videos / split / person / stem / f"{stem}.avi")
            yield Clip(safe_key(stem), path, part, person, (float(level),))


DAISEE = Dataset(
    name="DAiSEE",
    task="classification",
    targets=CLASSES,
    parts=TRAIN + VALIDATION + TEST,
    folds={"official": Fold(TRAIN, TEST, VALIDATION)},
    clips=_clips,
    fetch=unpacker(LABELS, VIDEOS),
    stride=16,
    metrics=("WAR", "UAR"),
    notice=AI_ACT,
    about=About(
        access="sign-up",
        people="112 students who watched videos; crowd workers judged the level",
        licence="research only",
        citation="Gupta et al., DAiSEE: Towards User Engagement Recognition in the Wild,"
        " arXiv 1609.01885, 2016",
        homepage="https://people.iith.ac.in/vineethnb/resources/daisee/index.html",
        apply="fill in the form on https://people.iith.ac.in/vineethnb/resources/daisee/index.html",
        place=(LABELS, VIDEOS),
        remarks="9,068 clips of 10 s; the lists of the three splits label 8,571 of them: 5,358"
        " for training (34, 213, 2,617 and 2,494 of the four levels), 1,429 for validation (23,"
        " 143, 813, 450), 1,784 for testing; stride 16, which covers most of a clip, is ours",
    ),
    published=Published(clips=8_571, folds={"official": (6_787, 1_784)}),
)
