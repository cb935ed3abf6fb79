"""RAVDESS: 1,440 speech clips without sound, 24 actors, six folds (paper 4.3.1).

The paper has eight classes, including calm; variant `7-classes` leaves calm out.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path

from svfap.datasets.dataset import Clip, Dataset, leave_one_part_out, nothing_to_fetch
from svfap.datasets.facts import About, Published
from svfap.datasets.local_copy import locate, videos_by_name
from svfap.datasets.verify import has_content

CODES = {
    "01": "neutral",
    "02": "calm",
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fearful",
    "07": "disgust",
    "08": "surprised",
}
WITHOUT_CALM = {code: name for code, name in CODES.items() if name != "calm"}
PARTS = tuple(f"actors{first:02d}-{first + 3:02d}" for first in range(1, 25, 4))
ALIGNED = "face_aligned"
ZENODO_RECORD = "https://zenodo.org/api/records/1188976"
NOTICE = "Seven classes, without calm; the paper has eight, so its figures do not compare."


def _clips(root: Path, *, codes: dict[str, str], aligned: bool = False) -> Iterator[Clip]:
    """Yield all clips of the protocol, whether present or not; neutral has no strong intensity."""
    folder = (locate(root, ALIGNED) if aligned else None) or root
    found = {} if aligned else videos_by_name(root, {".mp4"})
    order = [*codes]
    for actor, code, strength, statement, repetition in product(
        range(1, 25), order, ("01", "02"), ("01", "02"), ("01", "02")
    ):
        if (code, strength) != ("01", "02"):
            # 02: video without sound; 01: speech.
            key = f"02-01-{code}-{strength}-{statement}-{repetition}-{actor:02d}"
            name = f"{key}.mp4"
            path = folder / key if aligned else found.get(name, root / f"Actor_{actor:02d}" / name)
            part, target = PARTS[(actor - 1) // 4], (float(order.index(code)),)
            yield Clip(key, path, part, f"{actor:02d}", target)


def _fetch(root: Path) -> None:
    """Download and unpack the archives of all actors with missing clips."""
    from svfap.sources import archives, zenodo
    from svfap.sources.parallel import fetch_all

    clips = _clips(root, codes=CODES)
    actors = sorted({clip.subject for clip in clips if not has_content(clip.path)})
    if not actors:
        return
    zips = [root / f"Video_Speech_Actor_{actor}.zip" for actor in actors]
    missing = [path for path in zips if not path.exists()]
    if missing:
        files = zenodo.remote_files(ZENODO_RECORD, [path.name for path in missing], root)
        fetch_all(files, total=len(files), label="RAVDESS")
    for path in zips:
        archives.unpack(path, root, keep=lambda name: Path(name).name.startswith("02-01-"))
    for path in missing:  # keep archives that the user downloaded
        path.unlink()


def _dataset(codes: dict[str, str], notice: str = "", *, aligned: bool = False) -> Dataset:
    # Per class: 24 actors x 2 sentences x 2 repetitions x 2 intensities; neutral has one intensity.
    counts = tuple(96 if name == "neutral" else 192 for name in codes.values())
    return Dataset(
        name="RAVDESS",
        task="classification",
        targets=tuple(codes.values()),
        parts=PARTS,
        folds=leave_one_part_out(PARTS),
        clips=partial(_clips, codes=codes, aligned=aligned),
        fetch=nothing_to_fetch if aligned else _fetch,
        crop="frames" if aligned else "openface",
        stride=4,
        metrics=("UAR", "WAR"),
        notice=notice,
        about=replace(ABOUT, access="own", place=(ALIGNED,)) if aligned else ABOUT,
        published=Published.cross_validation(
            dict.fromkeys(PARTS, sum(counts) // len(PARTS)), classes=counts, subjects=24
        ),
    )


ABOUT = About(
    access="open",
    people="24 professional actors who spoke two sentences in each emotion, which is the label",
    licence="CC BY-NC-SA 4.0",
    citation="Livingstone and Russo, The Ryerson Audio-Visual Database of Emotional Speech and"
    " Song (RAVDESS), PLoS ONE 13(5), 2018",
    homepage="https://zenodo.org/record/1188976",
    apply="the stage `download` downloads it (24 archives of about 500 MB)",
    place=("Actor_01 ... Actor_24",),
    remarks="the paper crops faces with OpenFace: variant `aligned`, `face_aligned/<clip>/`",
)
RAVDESS = replace(
    _dataset(CODES),
    variants={
        "7-classes": _dataset(WITHOUT_CALM, NOTICE),
        "aligned": _dataset(CODES, aligned=True),
        "7-classes-aligned": _dataset(WITHOUT_CALM, NOTICE, aligned=True),
    },
)
