"""Read the predictions of every run: run -> dataset -> rows of clips or of scored units."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from svfap.config.stage_sections import TabulateConfig
from svfap.errors import SvfapError
from svfap.evaluation.predictions import by_clip, by_group, read
from svfap.experiment import layout
from svfap.experiment.layout import MAIN
from svfap.tables.results import check_predictions

BASELINE_RUN = "(baseline)"  # beside the names of runs, which have no brackets
Scored = Mapping[str, Mapping[str, pd.DataFrame]]


def by_run(
    config: TabulateConfig, paths: Sequence[Path], results: Path
) -> tuple[dict[str, list[Path]], list[Path]]:
    """Return run -> its predictions, the main run first; and the predictions of the baseline.

    Raises:
        SvfapError: there are predictions of a variant that the configuration lacks.
    """
    runs: dict[str, list[Path]] = {MAIN: []}
    baselines = []
    for path in paths:
        if parse(layout.BASELINE, path, results):
            baselines.append(path)
            continue
        names = parse(layout.PREDICTIONS, path, results) or {"run": MAIN}
        runs.setdefault(layout.variant_of(names["run"]), []).append(path)
    strays = sorted({*runs} - {MAIN, *config.runs})
    if strays:
        raise SvfapError(f"predictions of a variant '{strays[0]}', which the configuration lacks")
    return runs, baselines


def read_scored(
    config: TabulateConfig, runs: Mapping[str, Sequence[Path]], baselines: Sequence[Path]
) -> Scored:
    """Return the checked clips of every run, and of `BASELINE_RUN` if there is a baseline.

    Returns:
        Rows of `predictions.by_clip`; a run may have none of a dataset.

    Raises:
        SvfapError: predictions are damaged or do not fit the configuration.
    """
    scored = {run: _read_clips(config, paths) for run, paths in runs.items()}
    return scored | ({BASELINE_RUN: _read_clips(config, baselines)} if baselines else {})


def by_unit(scored: Scored) -> Scored:
    """Average the clips of each scored unit; return rows of `predictions.by_group`."""
    return {
        run: {name: by_group(rows) if len(rows) else rows for name, rows in clips.items()}
        for run, clips in scored.items()
    }


def parse(output: layout.Output, path: Path, results: Path) -> dict[str, str] | None:
    """Return the names in the path of an input, which may also be a copy in another folder."""
    return output.parse(path, below=results) or output.parse(path)


def _read_clips(config: TabulateConfig, paths: Sequence[Path]) -> dict[str, pd.DataFrame]:
    """Return the checked rows of clips by dataset; there are none without predictions."""
    frame = read(paths)
    unknown = sorted({*frame["dataset"]} - {*config.datasets})
    if unknown:
        raise SvfapError(
            f"predictions of {', '.join(unknown)}, which the configuration does not name; it has"
            f" {', '.join(config.datasets)}"
        )
    clips = {}
    for name, facts in config.datasets.items():
        rows = frame[frame["dataset"] == name]
        check_predictions(rows, name, facts)
        clips[name] = by_clip(rows) if len(rows) else rows
    return clips
