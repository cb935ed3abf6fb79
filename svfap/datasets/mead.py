"""MEAD: actors who speak with eight emotions at three intensities (not in the paper).

No protocol with eight classes is published, so we chose one, and every result of MEAD says so. Our
protocol has frontal views, all intensities and five folds. The actors of a copy, sorted by name, go
to the folds in turn.
"""

from collections.abc import Iterator
from pathlib import Path

from svfap.datasets.dataset import Clip, Dataset, leave_one_part_out
from svfap.datasets.facts import About
from svfap.datasets.local_copy import VIDEO_SUFFIXES, MissingFiles, locate_all, safe_key, unpacker

CLASSES = ("angry", "contempt", "disgusted", "fear", "happy", "neutral", "sad", "surprised")
PARTS = tuple(f"fold{number}" for number in range(1, 6))
VIEW = "*/video/front"
NOTICE = (
    "Protocol of our choice: frontal views, all intensities, five subject-independent folds;"
    " results under other protocols do not compare."
)


def _clips(root: Path) -> Iterator[Clip]:
    """Yield the frontal clips: `<actor>/video/front/<emotion>/level_<1..3>/<nnn>.mp4`."""
    views = {path.parents[1].name: path for path in locate_all(root, VIEW)}
    if not views:
        raise MissingFiles("`M003/video/front`")
    for number, (actor, view) in enumerate(sorted(views.items())):
        for emotion in CLASSES:
            for path in sorted(view.glob(f"{emotion}/level_*/*")):
                if path.suffix.lower() in VIDEO_SUFFIXES:
                    level = path.parent.name.removeprefix("level_")
                    key = safe_key(f"{actor}-{emotion}-{level}-{path.stem}")
                    target = (float(CLASSES.index(emotion)),)
                    yield Clip(key, path, PARTS[number % len(PARTS)], actor, target)


MEAD = Dataset(
    name="MEAD",
    task="classification",
    targets=CLASSES,
    parts=PARTS,
    folds=leave_one_part_out(PARTS),
    clips=_clips,
    fetch=unpacker(VIEW),
    stride=4,
    metrics=("UAR", "WAR"),
    notice=NOTICE,
    about=About(
        access="sign-up",
        people="actors who spoke with each emotion at three intensities, which is the label",
        licence="see its page",
        citation="Wang et al., MEAD: A Large-scale Audio-visual Dataset for Emotional"
        " Talking-face Generation, ECCV 2020",
        homepage="https://wywu.github.io/projects/MEAD/MEAD.html",
        apply="get it as https://wywu.github.io/projects/MEAD/MEAD.html says",
        place=("M003/video/front", "W009/video/front", "..."),
        remarks="60 actors, 7 views; the public part has fewer actors",
    ),
)
