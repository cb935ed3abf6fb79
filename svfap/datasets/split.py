"""Divide listed videos into parts: by the user's folds, or by distributing subjects over folds."""

import difflib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from svfap.datasets.dataset import Fold
from svfap.datasets.listing import SAFE_NAME, ListedVideo
from svfap.datasets.spelling import SHOWN, misspellings
from svfap.errors import SvfapError

# Names of parts, in lower case, that say what a part is for.
ROLES = (
    dict.fromkeys(("train", "training"), "train")
    | dict.fromkeys(("val", "valid", "validation", "dev", "devel"), "validation")
    | dict.fromkeys(("test", "testing", "eval", "holdout"), "test")
)


def named_parts(rows: Sequence[ListedVideo]) -> list[str]:
    """Return the part of each row, named by its column `fold`.

    Raises:
        SvfapError: a fold name is blank or unusable, or a subject is in two folds.
    """
    home: dict[str, str] = {}
    for row in rows:
        fold = row.require("fold")
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


def holdout_fold(path: Path, parts: Sequence[str]) -> dict[str, Fold] | None:
    """Return the one fold of parts called train, test and perhaps val; None for other names.

    Raises:
        SvfapError: only some parts have such names, or there is none to train on or to test.
    """
    roles: dict[str, list[str]] = defaultdict(list)
    for part in parts:
        roles[ROLES.get(part.casefold(), "")].append(part)
    if roles.keys() == {""}:
        return None
    if roles[""] or not roles["train"] or not roles["test"]:
        raise SvfapError(
            f"{path}: column 'fold' names {', '.join(parts)}; name 'train' and 'test' (and 'val')"
            " for one split, or 1, 2, 3, ... for cross-validation"
        )
    fold = Fold(tuple(roles["train"]), tuple(roles["test"]), tuple(roles["validation"]))
    return {"test": fold}


def distributed_parts(
    path: Path, name: str, rows: Sequence[ListedVideo], labels: Sequence[object], folds: int
) -> list[str]:
    """Distribute subjects over parts `fold1`, `fold2`, ... so that clips and labels are balanced.

    A greedy loop gives each subject, the largest first, to the part whose sum of squared shares
    grows least. The sum is over the part's share of the clips of each label and, weighted by the
    number of labels, its share of all clips. The same rows in any order give the same parts.

    Args:
        path: the CSV, for messages.
        name: the dataset's name in the configuration, for messages.
        rows: the listed videos.
        labels: the label of each row, to balance; all equal for regression.
        folds: number of parts.

    Returns:
        The part of each row.

    Raises:
        SvfapError: a subject is blank, or there are fewer subjects than folds.
    """
    subjects: dict[str, Counter[object]] = defaultdict(Counter)
    for row, label in zip(rows, labels, strict=True):
        subjects[row.require("subject")][label] += 1
    if len(subjects) == 1:
        raise SvfapError(
            f"{path}: all videos show one subject, and testing on unseen people needs at least 2;"
            " for a model of this person alone, replace the column 'subject' by 'fold': 1, 2, ..."
        )
    if len(subjects) < folds:
        raise SvfapError(
            f"{path}: {len(subjects)} subjects cannot fill {folds} folds;"
            f" lower datasets.{name}.folds to at most {len(subjects)}"
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
    path: Path,
    folds: Mapping[str, Fold],
    parts: Sequence[str],
    labels: Sequence[str],
    classes: Sequence[str],
) -> None:
    """Check that every fold has training clips of every class.

    Raises:
        SvfapError: a fold has no training clip of a class.
    """
    parts_of: dict[str, set[str]] = defaultdict(set)
    for part, label in zip(parts, labels, strict=True):
        parts_of[label].add(part)
    for name, fold in folds.items():
        for label in classes:
            if not parts_of[label] & {*fold.train}:
                known = [other for other in classes if other != label]
                near = difflib.get_close_matches(label, known, n=1)
                meant = f" (did you mean '{near[0]}'?)" if near else ""
                raise SvfapError(
                    f"{path}: class '{label}'{meant} has no training clips when '{name}' is"
                    " tested; add clips of it in other folds, or leave the class out"
                )


def how_split(rows: Sequence[ListedVideo], parts: Sequence[str], tested: Sequence[str]) -> str:
    """Return sentences that say how rows were divided into parts, and why.

    Args:
        rows: the listed videos.
        parts: the part of each row.
        tested: the parts that some fold tests.
    """
    sizes = Counter(parts)
    spread = f"{len(sizes)} folds of {_span(sizes.values())} clips"
    if len(tested) < len(sizes):
        spread = "one split: " + ", ".join(f"{sizes[part]} clips '{part}'" for part in sizes)
    subjects = {row.cells["subject"] for row in rows if row.cells.get("subject")}
    if "fold" in rows[0].cells:
        known = "" if subjects else "; no subjects are named, so one person may be in several"
        return f"{spread}, as the column 'fold' names them{known}.{_perhaps_misspelt(subjects)}"
    if all(row.cells["subject"] == row.cells.get("path") for row in rows):
        return (
            f"{spread}; each video counts as another person. If somebody is in two videos, these"
            " results are too good to be true."
        )
    return (
        f"{spread}, {len(subjects)} subjects. Each subject is in one fold, because testing on known"
        " people inflates results. Labels are balanced as far as possible."
        + _perhaps_misspelt(subjects)
    )


def _perhaps_misspelt(subjects: Iterable[str]) -> str:
    """Return a sentence on subjects that may be one person, misspelt; "" if there are none."""
    pairs = misspellings(sorted(subjects))
    shown = ", ".join(f"'{one}' and '{other}'" for one, other in pairs[:SHOWN])
    more = f" and {len(pairs) - SHOWN} more" if len(pairs) > SHOWN else ""
    return f" Check that these are different people: {shown}{more}." if pairs else ""


def untested_classes(
    parts: Sequence[str], labels: Sequence[str], classes: Sequence[str], tested: Sequence[str]
) -> str:
    """Return a sentence that names tested parts without clips of some class; "" if none lacks."""
    present = set(zip(parts, labels, strict=True))
    missing = {
        part: [label for label in classes if (part, label) not in present] for part in tested
    }
    gaps = [f"{part} has no {', '.join(labels)}" for part, labels in missing.items() if labels]
    if not gaps:
        return ""
    return f"{'; '.join(gaps)}: not tested there; fewer folds or more subjects would help"


def _crowding(part: Counter[object], own: Counter[object], total: Counter[object]) -> float:
    """Return how much a subject raises a part's sum of squared shares, without constant terms.

    If a part has p and a subject o of a label's `total` clips, the part's squared share grows by
    (2 p o + o^2) / total^2. The term o^2 is the same for every part and the factor 2 scales all
    parts, so both are dropped.
    """
    by_label = sum(part[label] * count / total[label] ** 2 for label, count in own.items())
    return by_label + len(total) * part.total() * own.total() / total.total() ** 2


def _span(numbers: Collection[int]) -> str:
    """Return the lowest and the highest number as text: `8`, or `8 to 10`."""
    low, high = min(numbers), max(numbers)
    return f"{low}" if low == high else f"{low} to {high}"
