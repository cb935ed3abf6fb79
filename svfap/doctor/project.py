"""Checks of what the configuration names: the detector's weights, and the datasets."""

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from svfap import datasets
from svfap.config import Config, CropConfig
from svfap.datasets import listing
from svfap.datasets.dataset import Dataset
from svfap.datasets.verify import Census, list_clips
from svfap.doctor.finding import FIX, OK, WARN, Finding
from svfap.errors import SvfapError
from svfap.sources import is_url
from svfap.sources.archives import archives_below

NAMES_SHOWN = 3
HEBREW = "\u0590"  # the font of all figures draws Latin, Greek and Cyrillic, which come before


def detector(config: CropConfig) -> Finding:
    """Check that the detector's weights load and find the face of a rendered head."""
    import cv2
    import numpy as np

    from svfap.demo.videos import frames
    from svfap.faces.detectors.make import make_detector

    image = cv2.cvtColor(next(frames(0, "happy")).image, cv2.COLOR_RGB2BGR)
    faces = make_detector(config).detect(np.asarray(image, np.uint8))
    if len(faces) != 1:
        return Finding(FIX, f"{config.detector} finds {len(faces)} faces in a picture of one")
    return Finding(OK, f"{config.detector} finds the face of a rendered head")


def fonts_of(config: Config) -> Finding:
    """Check that a font here draws the names of all classes and targets of a configuration."""
    labels: list[str] = []
    for name, chosen in config.datasets.items():
        with contextlib.suppress(SvfapError):  # the check of the dataset reports it
            labels += datasets.get(name, chosen).targets
    return fonts(labels)


def fonts(labels: Iterable[str]) -> Finding:
    """Check that a font here draws all labels."""
    letters = set("".join(labels))
    drawn = Finding(OK, "draw every label")
    if max(letters, default="") < HEBREW:
        return drawn
    from svfap.plots.fonts import advice, find_fonts  # Matplotlib takes a second

    _, missing = find_fonts(frozenset(letters))
    return Finding(WARN, advice(missing)) if missing else drawn


def dataset(config: Config, name: str) -> Finding:
    """Check that a dataset's files are here, or that stage `download` can get them."""
    chosen = config.datasets[name]
    known = datasets.get(name, chosen)
    if chosen.csv:
        return _listed_videos(chosen.csv, dict(chosen.columns.items()), config.crop.max_rejects)
    return _published_copy(
        known, chosen.root or config.data / "raw" / name, chosen.allow_incomplete
    )


def _listed_videos(csv: Path, named: Mapping[str, str], max_rejects: float) -> Finding:
    """Check the paths in a user's list of videos."""
    rows = listing.read(csv, named)
    local = [row.source for row in rows if not is_url(row.source)]
    lacking = [source for source in local if not Path(source).exists()]
    counts = f"{len(local) - len(lacking):,} of {len(local):,} videos of {csv} are here"
    if len(local) < len(rows):
        counts += f", {len(rows) - len(local):,} will be downloaded"
    if not lacking:
        return Finding(OK, counts)
    # The stage `crop` rejects missing videos, and tolerates rejects up to this share.
    shown = ", ".join(lacking[:NAMES_SHOWN]) + ", ..." * (len(lacking) > NAMES_SHOWN)
    too_many = len(lacking) > max_rejects * len(rows)
    return Finding(FIX if too_many else WARN, f"{counts}; correct the paths of {shown}")


def _published_copy(known: Dataset, root: Path, allow_incomplete: bool) -> Finding:
    """Compare a copy of a dataset with the published counts."""
    access = known.about.access
    if access == "embedded":
        return Finding(OK, "comes with the package")
    census = Census(known)
    try:
        for _ in census.count(list_clips(known, root)):
            pass
        differences = "; ".join(census.differences())
    except SvfapError as error:
        differences = str(error)
    if not differences:
        return Finding(OK, f"{census.clips:,} clips in {root}")
    if access == "open":
        here = f"{census.clips - census.missing:,} of {known.published.clips:,} clips in {root}"
        return Finding(OK, f"{here}; the stage `download` fetches the others")
    if archives_below(root):
        return Finding(OK, f"the stage `download` unpacks the archives in {root}")
    return Finding(WARN if allow_incomplete and census.clips else FIX, differences)
