"""Stage `evaluate`: predictions of a fine-tuned model for every test clip and view of a fold."""

from pathlib import Path

from svfap import charts, plots, predictions
from svfap.clipstore import ClipStore
from svfap.configfile import parse
from svfap.models import VideoModel
from svfap.stage_config import EvaluateJob, FinetuneJob
from svfap.tracking import Log
from svfap.training import checkpoint, insight, scoring
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
        output: the predictions, Parquet, a row per clip and view; `embedding.png` and
            `attention.png` are drawn beside it.
        log: takes metrics.

    Raises:
        SvfapError: a shard or the checkpoint is damaged.
    """
    store = ClipStore(shards)
    network, job = load_model(model)
    table = scoring.predict(network, store, job, config, dataset=dataset, fold=fold)
    predictions.write(output, table)
    _draw(network, store, job, output, f"{dataset} {fold}")
    log({"clips": len(store), "views": len(table.keys)})


def _draw(network: VideoModel, store: ClipStore, job: FinetuneJob, output: Path, name: str) -> None:
    """A map of the clips, and where the model looks."""
    features, targets = insight.embeddings(network, store, job)
    classes = job.task == "classification"
    charts.embedding(
        insight.neighbourhoods(features, seed=job.seed),
        targets[:, 0],
        job.targets if classes else (),
        title=f"{name}: test clips by their embedding (t-SNE)",
        path=output.with_name("embedding.png"),
        notice=job.notice,
        values="" if classes else job.targets[0],
    )
    plots.filmstrips(
        insight.attention_strips(network, store, job),
        title=f"{name}: where the later stages look",
        path=output.with_name("attention.png"),
        notice=job.notice,
    )


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
