"""Stage `baseline`: predictions of a classical baseline for every fold of a dataset."""

from pathlib import Path

from svfap.config.stage_sections import BaselineJob
from svfap.errors import SvfapError
from svfap.evaluation import baseline, predictions
from svfap.experiment import layout
from svfap.tracking.stage_run import Log


def run(config: BaselineJob, *, shards: list[Path], output: Path, log: Log) -> None:
    """Train a linear model on each fold and score the fold's test parts.

    Args:
        config: the task and the folds.
        shards: `index.parquet` of every part that a fold names.
        output: the Parquet file of the predictions of all folds, a row per clip.
        log: function that receives metrics.

    Raises:
        SvfapError: a shard is missing or damaged.
    """
    of_part = {path.parent.name: path for path in shards}
    for name, fold in config.folds.items():
        missing = sorted({*fold.train, *fold.test} - {*of_part})
        if missing:
            raise SvfapError(
                f"fold {name} needs part {missing[0]}; add its {layout.SHARDS.pattern}"
            )
    folds = list(baseline.predict(config, of_part))
    predictions.write(output, *folds)
    log({"clips": sum(len(fold.keys) for fold in folds)})
