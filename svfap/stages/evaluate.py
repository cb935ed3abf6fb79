"""Stage `evaluate`: predictions of a fine-tuned model for every test clip and view of a fold."""

from dataclasses import replace
from pathlib import Path

from svfap.config.machine import DEFAULT_SCORING, ScoringMachine
from svfap.config.stage_sections import EvaluateJob, FinetuneJob
from svfap.evaluation import insight, predictions
from svfap.evaluation.scoring import predict
from svfap.models import VideoModel
from svfap.shards.store import ClipStore
from svfap.tracking.stage_run import Log
from svfap.training.checkpoint import load_model, made_by


def run(
    config: EvaluateJob,
    *,
    machine: ScoringMachine = DEFAULT_SCORING,
    model: Path,
    shards: list[Path],
    output: Path,
    log: Log,
) -> None:
    """Score the test parts of a fold.

    Args:
        config: number of views per video, and names of the dataset and the fold.
        machine: number of views per forward pass.
        model: checkpoint of the stage `finetune`.
        shards: `index.parquet` of every test part.
        output: the Parquet file of predictions, a row per clip and view; `embedding.png` and
            `attention.png` are drawn beside it.
        log: function that receives metrics.

    Raises:
        SvfapError: a shard or the checkpoint is damaged.
    """
    store = ClipStore(shards)
    network, job = load_model(model)
    scored = predict(network, store, job, config, machine=machine)
    predictions.write(output, replace(scored, made_by=made_by(model)))
    _draw(network, store, job, output, f"{config.dataset} {config.fold}")
    log({"clips": len(store), "views": len(scored.keys)})


def _draw(network: VideoModel, store: ClipStore, job: FinetuneJob, output: Path, name: str) -> None:
    """Draw a map of the clips' embeddings, and where the later stages attend."""
    # It imports Matplotlib, which takes seconds: a wrong argument must not wait for it.
    from svfap.plots.clip_figures import Scale, draw_embedding, draw_filmstrips

    features, targets = insight.embeddings(network, store, job)
    classes = job.task == "classification"
    draw_embedding(
        insight.tsne_map(features, seed=job.seed),
        targets[:, 0],
        job.targets if classes else (),
        title=f"{name}: test clips by their embedding (t-SNE)",
        path=output.with_name("embedding.png"),
        notice=job.notice,
        values="" if classes else job.targets[0],
    )
    strips, captions = insight.attention_strips(network, store, job)
    draw_filmstrips(
        strips,
        title=f"{name}: where the later stages look",
        path=output.with_name("attention.png"),
        notice=job.notice,
        captions=captions,
        scale=Scale(insight.COLOURS, insight.HIGHEST, "attention, 1 = even share"),
    )
