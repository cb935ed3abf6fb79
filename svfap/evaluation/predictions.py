"""Predictions of a model, a Parquet row per clip and view; all tables come from them.

Programs read the columns of `SCHEMA`. For people, there are `named_columns` beside them, and the
file's metadata say what the labels mean.
The file keeps the views of a clip apart, so averaging can change without running the model again.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from svfap.config.labels import LabelNames
from svfap.config.made_by import MadeBy
from svfap.config.yaml_file import parse
from svfap.errors import SvfapError
from svfap.evaluation.named_columns import SCORES, named_columns
from svfap.replacing import replacing

if TYPE_CHECKING:
    import pandas as pd

METADATA = "svfap"  # key of the record of the model in the file's metadata
LABELS = "svfap.labels"  # key of the record of the labels
SCHEMA = pa.schema(
    [
        pa.field("dataset", pa.string(), nullable=False),
        pa.field("fold", pa.string(), nullable=False),
        pa.field("key", pa.string(), nullable=False),
        pa.field("group", pa.string(), nullable=False),
        pa.field("subject", pa.string(), nullable=False),
        pa.field("view", pa.int32(), nullable=False),
        pa.field("target", pa.list_(pa.float32()), nullable=False),
        pa.field("score", pa.list_(pa.float32()), nullable=False),
    ]
)


@dataclass(frozen=True)
class Predictions:
    """Predictions of one model for the test clips of one fold, as columns of n rows.

    Attributes:
        dataset: name of the dataset.
        fold: name of the fold.
        keys: name of the clip of each row.
        groups: the scored unit of each row: its key, unless the dataset's protocol scores groups.
        subjects: the person in each row; empty if unknown.
        views: number of the view within its clip, (n,).
        targets: class index (n, 1), or true values (n, d).
        scores: class probabilities (n, c), or predicted values (n, d).
        made_by: the model that made them; None if it is not known.
        labels: what targets and scores mean; None writes no columns for people.
    """

    dataset: str
    fold: str
    keys: Sequence[str]
    groups: Sequence[str]
    subjects: Sequence[str]
    views: NDArray[np.integer]
    targets: NDArray[np.number]
    scores: NDArray[np.number]
    made_by: MadeBy | None = None
    labels: LabelNames | None = None

    def __post_init__(self) -> None:
        """Refuse columns of unequal length, and targets or scores that are not finite."""
        columns = (self.keys, self.groups, self.subjects, self.views, self.targets, self.scores)
        lengths = {len(column) for column in columns}
        if len(lengths) != 1 or self.targets.ndim != 2 or self.scores.ndim != 2:
            shapes = self.targets.shape, self.scores.shape
            raise ValueError(f"columns of lengths {sorted(lengths)}, targets and scores {shapes}")
        if not (np.isfinite(self.scores).all() and np.isfinite(self.targets).all()):
            raise SvfapError(
                f"{self.dataset} fold {self.fold}: a target or score is not finite; if training"
                " diverged, lower finetune.optim.lr or set finetune.optim.clip_grad"
            )


def to_table(predictions: Predictions) -> pa.Table:
    """Convert one fold's predictions to a table of `SCHEMA`, with named columns behind it."""
    count = len(predictions.keys)
    columns = {
        "dataset": [predictions.dataset] * count,
        "fold": [predictions.fold] * count,
        "key": list(predictions.keys),
        "group": list(predictions.groups),
        "subject": list(predictions.subjects),
        "view": np.asarray(predictions.views),
        "target": list(predictions.targets.astype(np.float32)),
        "score": list(predictions.scores.astype(np.float32)),
    }
    metadata, labels = {}, predictions.labels
    if predictions.made_by:
        metadata[METADATA] = predictions.made_by.model_dump_json()
    table = pa.Table.from_pydict(columns, schema=SCHEMA)
    if labels:
        metadata[LABELS] = json.dumps(labels.model_dump() | {"scores": SCORES[labels.task]})
        scores = predictions.scores.astype(np.float32)
        named = named_columns(labels, predictions.targets.astype(np.float32), scores)
        for name, values in named.items():
            table = table.append_column(name, pa.array(values))
    return table.replace_schema_metadata(metadata)


def write(path: Path, *folds: Predictions) -> None:
    """Write the predictions of one fold or more atomically."""
    table = pa.concat_tables([to_table(fold) for fold in folds])
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        pq.write_table(table, partial)


def read(paths: Sequence[Path]) -> "pd.DataFrame":
    """Read predictions of any folds and datasets into one frame with the columns of `SCHEMA`.

    Raises:
        SvfapError: a file is missing, damaged or of another schema; a view occurs twice; a clip
            is tested in two folds, which would count it twice; folds differ in their number of
            classes.
    """
    # The stage `evaluate` writes predictions without pandas, whose import takes a second.
    import pandas as pd

    if not paths:
        raise SvfapError("no predictions are given; run the evaluate stage first")
    frame = pd.concat([_read_file(path) for path in paths], ignore_index=True)
    _refuse_repeats(frame, ["dataset", "fold", "key", "view"], "occurs twice in")
    clips = frame.drop_duplicates(["dataset", "fold", "key"])
    _refuse_repeats(clips, ["dataset", "key"], "is tested in a second fold,")
    for name, rows in frame.groupby("dataset", sort=False):
        widths = {(len(t), len(s)) for t, s in zip(rows["target"], rows["score"], strict=True)}
        if len(widths) > 1:
            raise SvfapError(
                f"{name}: folds differ in their number of targets or classes; evaluate all of them"
                " with models of one configuration"
            )
    return frame


def read_made_by(path: Path) -> MadeBy | None:
    """Return the model that made predictions; None if an earlier version wrote them.

    Raises:
        SvfapError: the record is damaged.
    """
    text = (pq.read_schema(path).metadata or {}).get(METADATA.encode())
    return None if text is None else parse(MadeBy, json.loads(text), where=str(path))


def read_names(path: Path) -> tuple[str, str]:
    """Return the dataset and the fold of predictions that `read` accepts."""
    first = next(pq.ParquetFile(path).iter_batches(1, columns=["dataset", "fold"]))
    return first["dataset"][0].as_py(), first["fold"][0].as_py()


def by_clip(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Average each clip's views (class probabilities in classification); return a row per clip."""
    return _average(frame, "key").drop(columns="view")


def by_group(clips: "pd.DataFrame") -> "pd.DataFrame":
    """Average the clips of each scored unit; return a row per unit.

    Most datasets score clips; AVCAffe scores whole videos (paper section 4.3.1).

    Raises:
        SvfapError: the clips of a group are in two folds, or differ in their target.
    """
    groups = _average(clips, "group")
    _refuse_repeats(groups, ["dataset", "group"], "has clips tested in a second fold,", "group")
    return groups


def _read_file(path: Path) -> "pd.DataFrame":
    if not path.is_file():
        raise SvfapError(f"{path}: no such predictions; run the evaluate stage first")
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise SvfapError(
            f"{path}: damaged ({reason}); delete it and run the evaluate stage again"
        ) from None
    found = ", ".join(table.schema.names)
    table = table.select([name for name in SCHEMA.names if name in table.schema.names])
    if not table.schema.equals(SCHEMA):
        raise SvfapError(
            f"{path}: not predictions of this version (columns {found}); run the evaluate stage"
            " again"
        )
    if not table.num_rows:
        raise SvfapError(f"{path}: holds no predictions; check that the fold's test part has clips")
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _refuse_repeats(
    frame: "pd.DataFrame", columns: list[str], what: str, unit: str = "key"
) -> None:
    repeats = frame[frame.duplicated(columns)]
    if len(repeats):
        row = repeats.iloc[0]
        noun = "clip" if unit == "key" else unit
        raise SvfapError(
            f"{row['dataset']}: {noun} {row[unit]!r} {what} fold {row['fold']}"
            f" ({len(repeats)} such rows); each may be scored only once: check the folds"
        )


def _average(frame: "pd.DataFrame", unit: str) -> "pd.DataFrame":
    """Average the scores of each `unit` of each fold, in order of first appearance."""
    datasets = [rows for _, rows in frame.groupby("dataset", sort=False)]
    import pandas as pd

    return pd.concat([_average_dataset(rows, unit) for rows in datasets], ignore_index=True)


def _average_dataset(rows: "pd.DataFrame", unit: str) -> "pd.DataFrame":
    """Average the rows of one dataset, whose scores all have the same width."""
    codes = rows.groupby(["fold", unit], sort=False).ngroup().to_numpy()
    _, first, counts = np.unique(codes, return_index=True, return_counts=True)
    targets = np.stack(rows["target"].to_list())
    differing = np.flatnonzero((targets != targets[first][codes]).any(axis=1))
    if differing.size:
        row = rows.iloc[differing[0]]
        raise SvfapError(
            f"{row['dataset']}: the rows of {unit} {row[unit]!r} differ in their target; averaged"
            " rows must share one label: check the labels of this dataset"
        )
    scores = np.stack(rows["score"].to_list()).astype(np.float64)
    sums = np.zeros((len(counts), scores.shape[1]))
    np.add.at(sums, codes, scores)
    return rows.iloc[first].assign(score=list(sums / counts[:, None]))
