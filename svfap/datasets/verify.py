"""Check the clips of a copy one by one, count them and compare the counts with published ones.

The check passes once over the clips and keeps little more than their keys in memory, so a copy may
have a million clips.
"""

import math
import os
import stat
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from svfap.datasets.dataset import Clip, Dataset
from svfap.datasets.listing import SAFE_NAME
from svfap.datasets.local_copy import MissingFiles
from svfap.errors import SvfapError

NAMES_SHOWN = 5
POINTER_BYTES = 200  # a git-LFS pointer has about 130 bytes
POINTER_START = b"version https://git-lfs"


class Census:
    """Counts of a dataset's clips, complete once the iterator of `count` is exhausted.

    Attributes:
        clips: number of clips listed.
        missing: number of clips listed whose file is missing; 0 if no count is published.
        subjects: number of people.
        broken: clips listed that are broken at the publisher -> what is wrong with them.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.clips = self.missing = 0
        self.broken: dict[str, str] = {}
        self._missing_names: list[str] = []
        self._keys: set[str] = set()
        # (part, target) -> clips
        self._counts: Counter[tuple[str, tuple[float, ...]]] = Counter()
        # ("subject" or "group", name) -> parts with clips of it
        self._parts_of: dict[tuple[str, str], set[str]] = defaultdict(set)

    @property
    def subjects(self) -> int:
        """Number of different people."""
        return sum(kind == "subject" for kind, _ in self._parts_of)

    def count(self, clips: Iterable[Clip]) -> Iterator[Clip]:
        """Check, count and yield the clips.

        Raises:
            SvfapError: a clip contradicts the dataset's facts, a part has no clips, or a fold
                trains on and tests the same person or group.
        """
        for clip in clips:
            problem = _problem(self.dataset, clip)
            # Keys become file names, and some file systems ignore case.
            if clip.key.casefold() in self._keys:
                problem = "its key occurs twice"
            if problem:
                raise SvfapError(f"{self.dataset.name}: clip '{clip.key}': {problem}")
            self._add(clip)
            yield clip
        self._check_parts_have_clips()
        self._check_folds_do_not_leak()

    def differences(self) -> list[str]:
        """Return how the copy differs from the published counts; empty if it is complete."""
        published = self.dataset.published
        if not published.clips:
            return []
        found = []
        present = self.clips - self.missing
        if present != published.clips:
            counts = f"{present:,} of {published.clips:,} clips"
            found.append(counts + (f", missing: {self._missing_list()}" if self.missing else ""))
        for label, count, expected in zip(
            self.dataset.targets,
            self._clips_per_class(self.dataset.parts),
            published.classes,
            strict=False,  # published class counts may be missing
        ):
            found += _difference(f"class {label}", count, expected)
        for name in self.dataset.folds:
            found += self._fold_differences(name)
        if published.subjects and self.subjects != published.subjects:
            found.append(f"{self.subjects:,} of {published.subjects:,} subjects")
        return found

    def _fold_differences(self, name: str) -> list[str]:
        """Return how a fold's training and test clips differ from the published counts."""
        fold, published = self.dataset.folds[name], self.dataset.published
        found = []
        if name in published.folds:
            trained, tested = published.folds[name]
            training_clips = self._clips_in(fold.train + fold.validation)
            found += _difference(f"fold {name}, training", training_clips, trained)
            found += _difference(f"fold {name}, test", self._clips_in(fold.test), tested)
        if name in published.test_classes:
            for label, count, expected in zip(
                self.dataset.targets,
                self._clips_per_class(fold.test),
                published.test_classes[name],
                strict=True,
            ):
                found += _difference(f"fold {name}, test, class {label}", count, expected)
        return found

    def _add(self, clip: Clip) -> None:
        self.clips += 1
        self._keys.add(clip.key.casefold())
        if fault := self.dataset.published.broken.get(clip.key):
            self.broken[clip.key] = fault
        labels = clip.target if self.dataset.task == "classification" else ()
        self._counts[clip.part, labels] += 1
        if clip.subject:
            self._parts_of["subject", clip.subject].add(clip.part)
        if clip.group:
            self._parts_of["group", clip.group].add(clip.part)
        if self.dataset.published.clips and not has_content(clip.path):
            self.missing += 1
            if self.missing <= NAMES_SHOWN:
                self._missing_names.append(clip.key)

    def _missing_list(self) -> str:
        """Return the first missing clips, and how many more there are, as text."""
        more = self.missing - len(self._missing_names)
        return ", ".join(self._missing_names) + (f" and {more:,} more" if more else "")

    def _clips_in(self, parts: Iterable[str]) -> int:
        """Return the number of clips in some parts."""
        wanted = {*parts}
        return sum(count for (part, _), count in self._counts.items() if part in wanted)

    def _clips_per_class(self, parts: Iterable[str]) -> list[int]:
        """Return the number of clips of each class in some parts."""
        wanted = {*parts}
        counts: Counter[tuple[float, ...]] = Counter()
        for (part, target), count in self._counts.items():
            if part in wanted:
                counts[target] += count
        return [counts[(float(index),)] for index in range(len(self.dataset.targets))]

    def _check_parts_have_clips(self) -> None:
        filled = {part for part, _ in self._counts}
        empty = [part for part in self.dataset.parts if part not in filled]
        if empty:
            problem = f"part '{empty[0]}' has no clips" if filled else "no clips were found"
            raise SvfapError(
                f"{self.dataset.name}: {problem}; check that all its videos are in place"
            )

    def _check_folds_do_not_leak(self) -> None:
        for name, fold in self.dataset.folds.items():
            for (kind, who), parts in self._parts_of.items():
                if parts & {*fold.test} and parts & {*fold.train, *fold.validation}:
                    raise SvfapError(
                        f"{self.dataset.name}: {kind} '{who}' would be both trained on and tested"
                        f" in fold {name}; correct the lists of the copy"
                    )


def list_clips(dataset: Dataset, root: Path) -> Iterator[Clip]:
    """Yield the clips of a copy.

    Raises:
        SvfapError: files are missing; the message says where to get them and where to put them.
    """
    try:
        yield from dataset.clips(root)
    except MissingFiles as missing:
        raise SvfapError(_how_to_get(dataset, root, str(missing))) from None


def _how_to_get(dataset: Dataset, root: Path, missing: str) -> str:
    """Return one line on what is missing, where to get and put it, and what to run next."""
    about, name = dataset.about, dataset.name
    if about.access == "open":
        return f"{name}: no {missing} in {root}; the stage `download` downloads it"
    how = f" {about.apply};" if about.apply else ""
    places = ", ".join(f"`{place}`" for place in about.place) or missing
    return (
        f"{name}: no {missing} in {root};{how} place {places} there, or its archives unchanged (and"
        f" their password in password.txt), or set datasets.{name}.root to the folder that has"
        f" them; then run: python -m svfap datasets {name}"
    )


def has_content(path: Path) -> bool:
    """Return whether a video or folder of frames has content; a git-LFS pointer has none."""
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


def _difference(name: str, count: int, expected: int) -> list[str]:
    """Return a text on a count that differs from the expected one; empty if it does not differ."""
    return [] if count == expected else [f"{name}: {count:,} instead of {expected:,}"]


def _problem(dataset: Dataset, clip: Clip) -> str:
    """Return what is wrong with a clip; '' if nothing is."""
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
