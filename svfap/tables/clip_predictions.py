"""`predictions.csv`: a row per run and tested clip, for R, spreadsheets and other programs.

R reads it without options, `read.csv("predictions.csv")`: UTF-8, and NA for what does not apply.
Datasets differ in their classes, so a row has NA in the columns of other datasets' classes.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from svfap.config.labels import LabelNames
from svfap.config.stage_sections import DatasetFacts, TabulateConfig
from svfap.datasets.dataset import UNLISTED, Listed
from svfap.errors import SvfapError
from svfap.evaluation.named_columns import PREDICTED_LABEL, TRUE_LABEL, named_columns
from svfap.experiment.layout import MAIN
from svfap.faces.clip_tables import read_clips
from svfap.tables.scored import BASELINE_RUN, Scored

COLUMNS = (
    *("dataset", "run", "fold", "clip", "group", "path", "start", "end", "subject"),
    *(TRUE_LABEL, PREDICTED_LABEL),
)
_RUN_NAMES = {MAIN: "main", BASELINE_RUN: "baseline"}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would compute a cell that starts so
_DIGITS = "%.7g"  # of scores, which are stored with 24 binary digits

ListedClips = Mapping[str, Mapping[str, Listed]]  # dataset -> key of a clip -> how a list names it


def read_listed(config: TabulateConfig, crops: Sequence[Path]) -> ListedClips:
    """Return how lists name the clips of the configured datasets.

    Args:
        config: facts of the datasets.
        crops: the `{dataset}/{part}/clips.csv` of every part.

    Raises:
        SvfapError: a table is missing or damaged.
    """
    found: dict[str, dict[str, Listed]] = {name: {} for name in config.datasets}
    for path in crops:
        name = path.parent.parent.name
        if name in found:  # not unlabelled, which may be a million clips
            try:
                found[name] |= {row.key: row.listed for row in read_clips(path)}
            except (OSError, KeyError, ValueError) as error:
                raise SvfapError(f"{path}: not a table of clips ({error}); crop again") from None
    return found


def write_predictions(
    path: Path, config: TabulateConfig, scored: Scored, listed: ListedClips
) -> None:
    """Write the table; its rows are in the order of datasets, runs, folds and tested clips.

    Args:
        path: the file to write.
        config: facts of the datasets.
        scored: run -> dataset -> rows of `predictions.by_clip`.
        listed: how lists name the clips.
    """
    frames = list(_frames(config, scored, listed))
    table = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=COLUMNS)
    own = [name for name in table.columns if name not in COLUMNS]
    table = table.reindex(columns=[*COLUMNS, *own])
    table.to_csv(path, index=False, na_rep="NA", float_format=_DIGITS, lineterminator="\n")


def _frames(config: TabulateConfig, scored: Scored, listed: ListedClips) -> Iterator[pd.DataFrame]:
    """Yield the rows of each dataset and run."""
    for name, facts in config.datasets.items():
        for run, clips in scored.items():
            if len(clips[name]):
                shown = _RUN_NAMES.get(run, run)
                # A variant may have the name of the main run or of the baseline.
                shown = f"({shown})" if run in _RUN_NAMES and shown in config.runs else shown
                frame = _frame(name, facts, clips[name], listed[name])
                yield frame.assign(dataset=name, run=shown)


def _frame(
    name: str, facts: DatasetFacts, clips: pd.DataFrame, listed: Mapping[str, Listed]
) -> pd.DataFrame:
    """Return the rows of a dataset in one run."""
    places = clips["fold"].map(facts.folds.index)
    clips = clips.iloc[np.argsort(places.to_numpy(), kind="stable")]
    labels = LabelNames(dataset=name, task=facts.task, names=facts.targets)
    targets, scores = (np.stack(clips[column].to_list()) for column in ("target", "score"))
    cells = [listed.get(key, UNLISTED).cells() for key in clips["key"]]
    frame = pd.DataFrame(cells, columns=["path", "start", "end"], dtype=object)
    for column in ("fold", "key", "group", "subject"):
        frame[column] = clips[column].to_numpy(object)
    frame = frame.rename(columns={"key": "clip"}).assign(**named_columns(labels, targets, scores))
    for column in frame.columns.intersection([*COLUMNS]):
        frame[column] = frame[column].map(_cell)
    return frame


def _cell(value: object) -> object:
    """Return a text that no spreadsheet takes for a formula; None, for NA, if it is empty."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return None if value == "" else value
