"""Rejected videos of all datasets in one list, with their reasons."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from svfap.faces.clip_tables import REJECT_COLUMNS, read_rejects
from svfap.tables.render import Table

SHOWN = 50


def read(paths: Sequence[Path]) -> pd.DataFrame:
    """Concatenate `{dataset}/{part}/rejects.csv` files: dataset, part, key, path, reason.

    Raises:
        SvfapError: a file is missing or lacks a column.
    """
    frames = []
    for path in paths:
        frame = read_rejects(path)
        frame.insert(0, "dataset", path.parent.parent.name)
        frame.insert(1, "part", path.parent.name)
        frames.append(frame)
    columns = ["dataset", "part", *REJECT_COLUMNS]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def reject_table(rejects: pd.DataFrame) -> Table:
    """Return the first `SHOWN` rejects as a table; the CSV has them all."""
    shown = rejects.head(SHOWN)[["dataset", "part", "key", "reason"]]
    rows = tuple(tuple(str(cell) for cell in row) for row in shown.itertuples(index=False))
    count = len(rejects)
    notes = [f"The first {SHOWN} of {count:,}; rejects.csv has them all."] if count > SHOWN else []
    notes += [] if count else ["Every video gave a face clip."]
    title = f"{count:,} rejected video{'s' if count != 1 else ''}"
    return Table(title, ("Dataset", "Part", "Clip", "Reason"), rows, "llll", tuple(notes))
