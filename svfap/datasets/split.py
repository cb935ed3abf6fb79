"""Which part each listed video belongs to: the user's own folds, or subjects dealt to folds."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from svfap.datasets.dataset import Fold
from svfap.datasets.listing import SAFE_NAME, ListedVideo
from svfap.errors import SvfapError
from svfap.order import natural_key


def named_parts(rows: Sequence[ListedVideo]) -> list[str]:
    """The part of each row as its `fold` column says.

    Raises:
        SvfapError: a blank or unusable fold name, or a subject in two folds.
    """
    home: dict[str, str] = {}
    for row in rows:
        fold = row.need("fold")
        subject = row.cells.get("subject", "")
        if not SAFE_NAME.fullmatch(fold):
            raise SvfapError(
                f"{row.where}: fold '{fold}' may hold only letters, digits, '-' and '_'; rename it"
            )
        if subject and home.setdefault(subject, fold) != fold:
            raise SvfapError(
                f"{row.where}: subject '{subject}' is in fold '{home[subject]}' and in fold"
                f" '{fold}'; put all clips of one person into one fold"
            )
    return [row.cells["fold"] for row in rows]


def dealt_parts(
    path: Path, name: str, rows: Sequence[ListedVideo], labels: Sequence[object], folds: int
) -> list[str]:
    """Deal subjects to parts `fold1`, `fold2`, ... so that clips and labels are spread evenly.

    The largest subject goes first, each to the part that keeps the sum of squared shares least:
    the shares of each label's clips and, with the weight of all labels together, of all clips.
    The same rows give the same parts.

    Raises:
        SvfapError: a blank subject, or fewer subjects than folds.
    """
    subjects: dict[str, Counter[object]] = defaultdict(Counter)
    for row, label in zip(rows, labels, strict=True):
        subjects[row.need("subject")][label] += 1
    if len(subjects) < folds:
        raise SvfapError(
            f"{path}: {len(subjects)} subjects cannot fill {folds} folds;"
            + (
                f" lower datasets.{name}.folds to at most {len(subjects)}"
                if len(subjects) > 1
                else " testing on unseen people needs at least 2 subjects"
            )
        )
    total = Counter(labels)
    parts: list[Counter[object]] = [Counter() for _ in range(folds)]
    home: dict[str, str] = {}
    for subject in sorted(subjects, key=lambda name: (-subjects[name].total(), name)):
        own = subjects[subject]
        costs = [_crowding(part, own, total) for part in parts]
        chosen = costs.index(min(costs))
        parts[chosen].update(own)
        home[subject] = f"fold{chosen + 1}"
    return [home[row.cells["subject"]] for row in rows]


def check_training_classes(
    path: Path, folds: Mapping[str, Fold], parts: Sequence[str], labels: Sequence[str],
    classes: Sequence[str],
) -> None:  # fmt: skip
    """Refuse folds that test on a class which they never train.

    Raises:
        SvfapError: names the class and the fold.
    """
    where: dict[str, set[str]] = defaultdict(set)
    for part, label in zip(parts, labels, strict=True):
        where[label].add(part)
    for name, fold in folds.items():
        for label in classes:
            if not where[label] & {*fold.train}:
                raise SvfapError(
                    f"{path}: class '{label}' has no training clips when '{name}' is tested;"
                    " add clips of it in other folds, or leave the class out"
                )


def how_split(rows: Sequence[ListedVideo], parts: Sequence[str]) -> str:
    """How the rows came into their parts, and why so, in a sentence."""
    sizes = Counter(parts).values()
    spread = f"{len(sizes)} folds of {min(sizes)} to {max(sizes)} clips"
    if "fold" in rows[0].cells:
        return f"{spread}, as the column 'fold' names them"
    subjects = len({row.cells["subject"] for row in rows})
    return (
        f"{spread}: {subjects} subjects were dealt so that each is in one fold alone (known faces"
        " make results too good) and labels are spread as evenly as that allows"
    )


def untested_classes(parts: Sequence[str], labels: Sequence[str], classes: Sequence[str]) -> str:
    """The parts that lack a class, in a sentence; empty if all have all."""
    there = set(zip(parts, labels, strict=True))
    lacking = {
        part: [label for label in classes if (part, label) not in there]
        for part in sorted({*parts}, key=natural_key)
    }
    named = [f"{part} has no {', '.join(labels)}" for part, labels in lacking.items() if labels]
    if not named:
        return ""
    return f"{'; '.join(named)}: not tested there; fewer folds or more subjects would help"


def _crowding(part: Counter[object], own: Counter[object], total: Counter[object]) -> float:
    """How much closer to full a part gets by a subject; 0 for an empty part only."""
    by_label = sum(part[label] * count / total[label] ** 2 for label, count in own.items())
    return by_label + len(total) * part.total() * own.total() / total.total() ** 2
