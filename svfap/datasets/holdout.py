"""A validation part cut out of what is trained on, so that nothing is chosen by the test set."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from svfap.datasets.dataset import Clip, Dataset, Fold
from svfap.errors import SvfapError
from svfap.order import natural_key


def with_validation(dataset: Dataset, share: float) -> Dataset:
    """The dataset with a share of the people of each part in a validation part of their own.

    A part that is tested in one fold and trained on in others stays whole where it is tested.
    Where people are unknown, scored units are divided instead.

    Args:
        dataset: any with folds that have no validation part yet.
        share: of the people of each part, at least one of them.

    Raises:
        SvfapError: the dataset has no folds, or an official validation part already.
    """
    trained = {part for fold in dataset.folds.values() for part in fold.train}
    if not trained or any(fold.validation for fold in dataset.folds.values()):
        why = "has an official validation part already" if trained else "has no folds"
        raise SvfapError(f"{dataset.name} {why}; remove datasets.{dataset.name}.validation")
    held = {part: f"{part}-validation" for part in dataset.parts if part in trained}
    folds = {
        name: Fold(
            fold.train,
            fold.test + tuple(held[part] for part in fold.test if part in held),
            tuple(held[part] for part in fold.train),
        )
        for name, fold in dataset.folds.items()
    }

    def clips(root: Path) -> Iterator[Clip]:
        whole = list(dataset.clips(root))
        chosen = {part: _chosen(dataset.name, whole, part, share) for part in held}
        for clip in whole:
            held_back = _unit(clip) in chosen.get(clip.part, ())
            yield replace(clip, part=held[clip.part]) if held_back else clip

    parts = (*dataset.parts, *held.values())
    return replace(dataset, parts=parts, folds=folds, clips=clips)


def _chosen(name: str, clips: list[Clip], part: str, share: float) -> set[str]:
    """Units of a part that are held back, spread evenly over their sorted names."""
    units = sorted({_unit(clip) for clip in clips if clip.part == part}, key=natural_key)
    if len(units) < 2:
        raise SvfapError(f"{name}: part '{part}' is too small for a validation part; leave it out")
    count = max(1, round(share * len(units)))
    return {units[int((number + 0.5) * len(units) / count)] for number in range(count)}


def _unit(clip: Clip) -> str:
    return clip.subject or clip.group or clip.key
