"""Is a copy complete? Clips are checked and counted as they pass and compared with what is known.

One pass, and memory for little more than the keys, so that a million clips are no trouble.
"""

import math
import os
import stat
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from svfap.datasets.dataset import Clip, Dataset
from svfap.datasets.listing import SAFE_NAME
from svfap.datasets.local_copy import Absent
from svfap.errors import SvfapError

NAMES_SHOWN = 5
POINTER_BYTES = 200
POINTER_START = b"version https://git-lfs"


class Census:
    """Counts of a dataset's clips, complete once `count` is exhausted.

    Attributes:
        clips: number of clips listed.
        lost: number of clips listed whose file is missing.
        subjects: number of people.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.clips = self.lost = 0
        self._lost_names: list[str] = []
        self._keys: set[str] = set()
        self._cells: Counter[tuple[str, tuple[float, ...]]] = Counter()
        self._homes: dict[tuple[str, str], set[str]] = defaultdict(set)

    @property
    def subjects(self) -> int:
        """Number of different people."""
        return sum(kind == "subject" for kind, _ in self._homes)

    def count(self, clips: Iterable[Clip]) -> Iterator[Clip]:
        """Pass clips through while they are as the dataset declares them.

        Raises:
            SvfapError: a clip is not as declared, a part has none, or a person is in two parts
                of which one is tested and the other trained on.
        """
        for clip in clips:
            problem = _problem(self.dataset, clip)
            if clip.key.casefold() in self._keys:
                problem = "its key occurs twice"
            if problem:
                raise SvfapError(f"{self.dataset.name}: clip '{clip.key}': {problem}")
            self._add(clip)
            yield clip
        self._refuse_empty_parts()
        self._refuse_leaks()

    def differences(self) -> list[str]:
        """How the copy differs from what is published; nothing, if it is complete."""
        published = self.dataset.published
        if not published.clips:
            return []
        found = []
        if self.clips - self.lost != published.clips:
            counts = f"{self.clips - self.lost:,} of {published.clips:,} clips"
            found.append(counts + (f", missing: {self._lost_list()}" if self.lost else ""))
        for label, count, wanted in zip(
            self.dataset.targets, self._classes(self.dataset.parts), published.classes, strict=False
        ):
            found += _differs(f"class {label}", count, wanted)
        for name, (trained, tested) in published.folds.items():
            fold = self.dataset.folds[name]
            found += _differs(f"fold {name}, training", self._size(fold.train + fold.validation),
                              trained)  # fmt: skip
            found += _differs(f"fold {name}, test", self._size(fold.test), tested)
        for name, counts_of in published.test_classes.items():
            tested_classes = self._classes(self.dataset.folds[name].test)
            for label, count, wanted in zip(
                self.dataset.targets, tested_classes, counts_of, strict=True
            ):
                found += _differs(f"fold {name}, test, class {label}", count, wanted)
        if published.subjects and self.subjects != published.subjects:
            found.append(f"{self.subjects:,} of {published.subjects:,} subjects")
        return found

    def _add(self, clip: Clip) -> None:
        self.clips += 1
        self._keys.add(clip.key.casefold())
        labels = clip.target if self.dataset.task == "classification" else ()
        self._cells[clip.part, labels] += 1
        if clip.subject:
            self._homes["subject", clip.subject].add(clip.part)
        if clip.group:
            self._homes["group", clip.group].add(clip.part)
        if self.dataset.published.clips and not is_there(clip.path):
            self.lost += 1
            if self.lost <= NAMES_SHOWN:
                self._lost_names.append(clip.key)

    def _lost_list(self) -> str:
        more = self.lost - len(self._lost_names)
        return ", ".join(self._lost_names) + (f" and {more:,} more" if more else "")

    def _size(self, parts: Iterable[str]) -> int:
        wanted = {*parts}
        return sum(count for (part, _), count in self._cells.items() if part in wanted)

    def _classes(self, parts: Iterable[str]) -> list[int]:
        wanted = {*parts}
        counts: Counter[tuple[float, ...]] = Counter()
        for (part, target), count in self._cells.items():
            if part in wanted:
                counts[target] += count
        return [counts[(float(index),)] for index in range(len(self.dataset.targets))]

    def _refuse_empty_parts(self) -> None:
        filled = {part for part, _ in self._cells}
        missing = [part for part in self.dataset.parts if part not in filled]
        if missing:
            what = f"part '{missing[0]}' has no clips" if filled else "no clips were found"
            raise SvfapError(f"{self.dataset.name}: {what}; check that all its videos are in place")

    def _refuse_leaks(self) -> None:
        for name, fold in self.dataset.folds.items():
            for (kind, who), parts in self._homes.items():
                if parts & {*fold.test} and parts & {*fold.train, *fold.validation}:
                    raise SvfapError(
                        f"{self.dataset.name}: {kind} '{who}' would be both trained on and tested"
                        f" in fold {name}; correct the lists of the copy"
                    )


def listed(dataset: Dataset, root: Path) -> Iterator[Clip]:
    """The clips under a root.

    Raises:
        SvfapError: they are not there; says where to get what, and where to place it.
    """
    try:
        yield from dataset.clips(root)
    except Absent as absent:
        raise SvfapError(advice(dataset, root, str(absent))) from None


def advice(dataset: Dataset, root: Path, lacking: str) -> str:
    """One line: what is missing, where to get it, what to place where, what to run next."""
    about, name = dataset.about, dataset.name
    if about.access == "open":
        return f"{name}: no {lacking} in {root}; the stage `download` fetches it"
    places = ", ".join(f"`{place}`" for place in about.place)
    return (
        f"{name}: no {lacking} in {root}; {about.apply}; place {places} there, or its archives as"
        f" you got them (and their password in password.txt), or set datasets.{name}.root to"
        f" where they are; then run: python -m svfap datasets {name}"
    )


def is_there(path: Path) -> bool:
    """Whether a video, or a folder of frames, has content; a git-LFS pointer has none."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            with os.scandir(path) as entries:
                return any(True for _ in entries)
        if 0 < status.st_size < POINTER_BYTES:
            return not path.read_bytes().startswith(POINTER_START)
    except OSError:
        return False
    return status.st_size > 0


def _differs(what: str, count: int, wanted: int) -> list[str]:
    return [] if count == wanted else [f"{what}: {count:,} instead of {wanted:,}"]


def _problem(dataset: Dataset, clip: Clip) -> str:
    """What is wrong with a clip; '' if nothing is."""
    count = len(dataset.targets)
    if not SAFE_NAME.fullmatch(clip.key):
        return "its key may hold only letters, digits, '-' and '_'"
    if clip.part not in dataset.parts:
        return f"unknown part '{clip.part}'; known: {', '.join(dataset.parts)}"
    if dataset.task == "classification" and clip.target not in {(float(i),) for i in range(count)}:
        return f"target {clip.target} is not one class index from 0 to {count - 1}"
    if dataset.task == "regression" and len(clip.target) != count:
        return f"{len(clip.target)} targets instead of {count}"
    if dataset.task == "unlabelled" and clip.target:
        return f"target {clip.target} in unlabelled data"
    return "" if all(map(math.isfinite, clip.target)) else f"target {clip.target} is not finite"
