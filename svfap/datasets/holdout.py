"""Split a validation part off the training parts, so that no choice is made on the test set."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from svfap.datasets.dataset import Clip, Dataset, Fold
from svfap.errors import SvfapError
from svfap.order import natural_key


def with_validation(dataset: Dataset, share: float) -> Dataset:
    """Return the dataset with a share of each training part's subjects held out for validation.

    Each part `p` that any fold trains on is divided into `p` and `p-validation`. A fold that trains
    on `p` validates on `p-validation`; a fold that tests `p` tests both, hence all of its clips.
    Where subjects are unknown, groups or clips are divided instead.

    Args:
        dataset: a dataset whose folds have no validation part yet.
        share: share of the subjects of each part; at least one subject is held out.

    Raises:
        SvfapError: the dataset has no folds, or an official validation part already.
    """
    trained = {part for fold in dataset.folds.values() for part in fold.train}
    if not trained or any(fold.validation for fold in dataset.folds.values()):
        why = "has an official validation part already" if trained else "has no folds"
        raise SvfapError(f"{dataset.name} {why}; remove datasets.{dataset.name}.validation")
    validation = {part: f"{part}-validation" for part in dataset.parts if part in trained}
    folds = {
        name: Fold(
            fold.train,
            fold.test + tuple(validation[part] for part in fold.test if part in validation),
            tuple(validation[part] for part in fold.train),
        )
        for name, fold in dataset.folds.items()
    }

    def clips(root: Path) -> Iterator[Clip]:
        every = list(dataset.clips(root))
        held_out = {part: _held_out_units(dataset.name, every, part, share) for part in validation}
        for clip in every:
            is_held_out = _unit(clip) in held_out.get(clip.part, ())
            yield replace(clip, part=validation[clip.part]) if is_held_out else clip

    parts = (*dataset.parts, *validation.values())
    return replace(dataset, parts=parts, folds=folds, clips=clips)


def _held_out_units(name: str, clips: list[Clip], part: str, share: float) -> set[str]:
    """Return the units of a part to hold out, evenly spaced in the sorted list of all its units."""
    units = sorted({_unit(clip) for clip in clips if clip.part == part}, key=natural_key)
    if len(units) < 2:
        raise SvfapError(
            f"{name}: part '{part}' is too small to hold out a validation part; remove"
            f" datasets.{name}.validation"
        )
    count = max(1, round(share * len(units)))
    return {units[int((number + 0.5) * len(units) / count)] for number in range(count)}


def _unit(clip: Clip) -> str:
    """Return the unit that must stay whole: the subject if known, else the group, else the clip."""
    return clip.subject or clip.group or clip.key
