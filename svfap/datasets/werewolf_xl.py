"""Werewolf-XL: arousal, valence and dominance of game players, five folds (paper 4.3.1).

A clip's name `SS_PP_NNN` gives session, person and number. A fold tests six of the 30 sessions. The
released label lists have no header that gives the order of the three values, so `labels.csv` must
have one: `clip,arousal,valence,dominance`.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from svfap.datasets.dataset import Clip, Dataset, leave_one_part_out
from svfap.datasets.facts import About, Published
from svfap.datasets.local_copy import locate, require, text_lines, unpacker, videos_by_name
from svfap.errors import SvfapError

TARGETS = ("arousal", "valence", "dominance")
PARTS = tuple(f"sessions{first:02d}-{first + 5:02d}" for first in range(1, 31, 6))
NAME = re.compile(r"(?P<session>\d{2})_(?P<person>\d{2})_\d+")
LABELS = "labels.csv"
FRAMES = "openface"
VIDEOS = "videos"
SESSIONS = 30
AUDIO_VISUAL = (3346, 2747, 3066, 3527, 1771)  # clips of each part
NOTICE = "The 14,457 clips that have sound too, as in HiCMAE; the paper has 14,632."


def _clips(root: Path) -> Iterator[Clip]:
    """Yield the labelled clips: frames in `openface/<clip>/<clip>_aligned`, or videos."""
    labels = require(root, LABELS)
    frames, videos = locate(root, FRAMES), locate(root, VIDEOS)
    found = {}
    if videos and not frames:
        found = {path.stem: path for path in videos_by_name(videos).values()}
    rows = csv.DictReader(text_lines(labels))
    if not {"clip", *TARGETS} <= {*(rows.fieldnames or ())}:
        raise SvfapError(f"{labels}: its header must name clip, {', '.join(TARGETS)}; add it")
    for row in rows:
        match = NAME.fullmatch(row["clip"])
        if not match or not 1 <= int(match["session"]) <= SESSIONS:
            raise SvfapError(
                f"{labels}: clip '{row['clip']}' is not named session_person_number, such as"
                " 01_02_003; correct the name"
            )
        key = row["clip"]
        aligned = f"{key}/{key}_aligned"  # as OpenFace names its output
        path = frames / aligned if frames else found.get(key, root / VIDEOS / f"{key}.mp4")
        person = f"{match['session']}_{match['person']}"
        part = PARTS[(int(match["session"]) - 1) // 6]
        yield Clip(key, path, part, person, tuple(float(row[name]) for name in TARGETS))


WEREWOLF_XL = Dataset(
    name="Werewolf-XL",
    task="regression",
    targets=TARGETS,
    parts=PARTS,
    folds=leave_one_part_out(PARTS),
    clips=_clips,
    fetch=unpacker(LABELS),
    crop="openface",
    stride=3,
    metrics=("PCC", "CCC"),
    raw_targets=True,  # from -1.5 to 2
    about=About(
        access="closed",
        people="players of the game Werewolf, not acted; the values were rated by others",
        licence="unknown",
        citation="Zhang et al., Werewolf-XL: A Database for Identifying Spontaneous Affect in"
        " Large Competitive Group Interactions, IEEE TAC 14(2), 2023",
        apply="no public route is known; ask its authors (ZJU NEXT Lab)",
        place=(f"{LABELS} (clip,arousal,valence,dominance)", f"{FRAMES} or {VIDEOS}"),
        remarks="14,632 active-speaker clips of 131,688, 129 subjects, 30 sessions; stride 3 is"
        " HiCMAE's, the paper names none",
    ),
    published=Published(clips=14_632),
)
WEREWOLF_XL = replace(
    WEREWOLF_XL,
    variants={
        "audio-visual": replace(
            WEREWOLF_XL,
            notice=NOTICE,
            published=Published.cross_validation(dict(zip(PARTS, AUDIO_VISUAL, strict=True))),
        )
    },
)
