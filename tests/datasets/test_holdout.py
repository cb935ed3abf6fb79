"""A validation part is held out from the training subjects, never from the test set."""

from collections import defaultdict
from pathlib import Path

import pytest

from svfap.config import DatasetConfig
from svfap.datasets import get
from svfap.datasets.dataset import Clip, Dataset, Fold, leave_one_part_out
from svfap.datasets.holdout import with_validation
from svfap.errors import SvfapError

PARTS = ("one", "two", "three")


def dataset(*, subjects: bool = True, fixed: bool = False) -> Dataset:
    clips = [
        Clip(f"{part}-{who}-{n}", Path("x"), part, f"{part}{who}" if subjects else "", (0.0,))
        for part in PARTS
        for who in range(10)
        for n in range(3)
    ]
    folds = {"official": Fold(("one", "two"), ("three",))} if fixed else leave_one_part_out(PARTS)
    return Dataset("d", "classification", ("x",), PARTS, folds, lambda _: clips)


@pytest.mark.parametrize("subjects", [True, False])
@pytest.mark.parametrize("fixed", [True, False])
def test_training_validation_and_test_are_disjoint(subjects, fixed):
    cut = with_validation(dataset(subjects=subjects, fixed=fixed), 0.2)
    parts = defaultdict(list)
    for clip in cut.clips(Path()):
        parts[clip.part].append(clip)
    assert {*parts} == {*cut.parts}
    for fold in cut.folds.values():
        train, test, held = (
            {clip.subject or clip.key for part in side for clip in parts[part]}
            for side in (fold.train, fold.test, fold.validation)
        )
        assert not train & test | train & held | test & held
        whole = 20 if subjects else 60
        assert len(held) == whole // 5
        assert len(train) == whole - len(held)
        assert len(test) == whole // 2


def test_the_test_set_is_unchanged():
    before = dataset()
    after = with_validation(before, 0.2)
    for name in before.folds:
        tested = [
            {clip.key for clip in made.clips(Path()) if clip.part in made.folds[name].test}
            for made in (before, after)
        ]
        assert tested[0] == tested[1]


def test_an_official_validation_part_is_kept():
    with pytest.raises(SvfapError, match=r"ChaLearn has an official validation part already"):
        get("ChaLearn", DatasetConfig(validation=0.1))
    with pytest.raises(SvfapError, match="has no folds"):
        get("VoxCeleb2", DatasetConfig(validation=0.1))


def test_a_part_of_one_person():
    clips = [Clip("k", Path(), "a", "anna", (0.0,)), Clip("l", Path(), "b", "ben", (0.0,))]
    folds = leave_one_part_out(("a", "b"))
    alone = Dataset("d", "classification", ("x",), ("a", "b"), folds, lambda _: clips)
    with pytest.raises(SvfapError, match="part 'a' is too small"):
        list(with_validation(alone, 0.2).clips(Path()))
