"""What is predicted for each listed video: its class, or its values."""

import difflib
from collections.abc import Sequence
from pathlib import Path

from svfap.config.labels import Task
from svfap.datasets import columns, listing
from svfap.datasets.listing import ListedVideo
from svfap.errors import SvfapError
from svfap.order import natural_key


def names_and_targets(
    csv: Path, rows: Sequence[ListedVideo], task: Task, chosen: tuple[str, ...]
) -> tuple[tuple[str, ...], list[tuple[float, ...]]]:
    """Return the names of the classes or regressed values, and the target of each row."""
    match task:
        case "classification":
            columns.require(csv, list(rows[0].cells), "label")
            listing.require_filled(csv, rows, "label")
            names = _class_names(csv, rows, chosen)
            return names, [(float(_class_index(row, names)),) for row in rows]
        case "regression":
            names = _columns_to_regress(csv, rows, chosen)
            return names, [tuple(row.number(column) for column in names) for row in rows]
        case "unlabelled":
            return (), [()] * len(rows)


def _class_names(
    csv: Path, rows: Sequence[ListedVideo], chosen: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the class names in index order: the chosen ones, or all labels sorted."""
    if chosen:
        if len({*chosen}) < len(chosen):
            raise SvfapError(f"{csv}: a class is named twice in {', '.join(chosen)}; name it once")
        return chosen
    labels = sorted({row.cells["label"] for row in rows}, key=natural_key)
    if len(labels) < 2:
        raise SvfapError(f"{csv}: every label is '{labels[0]}'; add rows with a second class")
    return tuple(labels)


def _class_index(row: ListedVideo, classes: Sequence[str]) -> int:
    label = row.cells["label"]
    if label not in classes:
        near = difflib.get_close_matches(label, classes, n=1)
        guess = f"; did you mean '{near[0]}'?" if near else ";"
        raise SvfapError(f"{row.where}: unknown label '{label}'{guess} known: {', '.join(classes)}")
    return classes.index(label)


def _columns_to_regress(
    csv: Path, rows: Sequence[ListedVideo], chosen: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the chosen columns, or all columns without another meaning that contain a number."""
    header = list(rows[0].cells)
    for column in chosen:
        columns.require(csv, header, column)
    others = [name for name in header if name and name not in listing.ORDINARY_COLUMNS - {"label"}]
    found = chosen or tuple(
        name for name in others if any(_is_number(row.cells[name]) for row in rows)
    )
    if not found:
        columns.require(csv, header, "label")
        rows[0].number("label")  # raises: its column has no number
    return found


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
