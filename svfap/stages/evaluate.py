"""Stage `evaluate`: predictions of a fine-tuned model for every test clip and view of a fold."""

from pathlib import Path

from svfap import predictions
from svfap.config import EvaluateJob, FinetuneJob
from svfap.configfile import parse
from svfap.models import VideoModel
from svfap.shards import ClipStore
from svfap.tracking import Log
from svfap.training import checkpoint, scoring
from svfap.training.distributed import device


def run(
    config: EvaluateJob,
    *,
    dataset: str,
    fold: str,
    model: Path,
    shards: list[Path],
    output: Path,
    log: Log,
) -> None:
    """Score the test parts of a fold.

    Args:
        config: how many views of each video are scored.
        dataset: name of the dataset.
        fold: name of the fold.
        model: checkpoint of the stage `finetune`.
        shards: `index.parquet` of every test part.
        output: the predictions, Parquet, a row per clip and view.
        log: takes metrics.

    Raises:
        SvfapError: a shard or the checkpoint is damaged.
    """
    store = ClipStore(shards)
    network, job = load_model(model)
    table = scoring.predict(network, store, job, config, dataset=dataset, fold=fold)
    predictions.write(output, table)
    log({"clips": len(store), "views": len(table.keys)})


def load_model(path: Path) -> tuple[VideoModel, FinetuneJob]:
    """A fine-tuned model, ready to predict, and the job that made it.

    Raises:
        SvfapError: the checkpoint is damaged or not of a fine-tuned model.
    """
    content = checkpoint.load(path)
    job = parse(FinetuneJob, content.get("config"), where=str(path))
    settings = job.finetune
    model = VideoModel(
        job.model, len(job.targets), activation=settings.activation, fusion=settings.fusion
    )
    checkpoint.load_weights(model, content["model"], where=path)
    return model.to(device()).eval(), job
