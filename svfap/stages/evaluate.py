"""Stage `evaluate`: predictions of a fine-tuned model for every test clip and view of a fold."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from svfap.config.labels import LabelNames
from svfap.config.machine import DEFAULT_SCORING, ScoringMachine
from svfap.config.stage_sections import EvaluateJob, FinetuneJob
from svfap.evaluation import insight, predictions
from svfap.evaluation.scoring import metrics_of, predict
from svfap.models import VideoModel
from svfap.probing import probe
from svfap.probing.features import features_of
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
        log: function that receives every metric of the fold.

    Raises:
        SvfapError: a shard or the checkpoint is damaged.
    """
    store = ClipStore(shards)
    network, job = load_model(model)
    made = made_by(model)
    if job.finetune.tune == "probe" and job.finetune.probe.views == config.views:
        # Other folds have learnt from these views, so their features are there.
        kept = features_of(network, shards, job, encoder=made.pretrained)
        scored, embeddings = probe.predict(probe.Probe(network), store, job, config, kept)
        clips = insight.mapped_clips(store)
        mapped = embeddings[clips], store.targets[clips]
    else:
        scored = predict(network, store, job, config, machine=machine)
        mapped = insight.embeddings(network, store, job)
    labels = LabelNames(dataset=config.dataset, task=job.task, names=job.targets)
    predictions.write(output, replace(scored, made_by=made, labels=labels))
    name = f"{config.dataset} {config.fold}"
    _draw_map(mapped, job, output.with_name("embedding.png"), name)
    _draw_attention(network, store, job, output.with_name("attention.png"), name)
    log({"clips": len(store), "views": len(scored.keys)} | metrics_of(scored, job, each=True))


def _draw_map(
    mapped: tuple[NDArray[np.float32], NDArray[np.float32]], job: FinetuneJob, path: Path, name: str
) -> None:
    """Draw a map of the clips by their embeddings (n, C) and targets (n, d)."""
    # It imports Matplotlib, which takes seconds: a wrong argument must not wait for it.
    from svfap.plots.clip_figures import draw_embedding

    features, targets = mapped
    classes = job.task == "classification"
    draw_embedding(
        insight.tsne_map(features, seed=job.seed),
        targets[:, 0],
        job.targets if classes else (),
        title=f"{name}: test clips by their embedding (t-SNE)",
        path=path,
        notice=job.notice,
        values="" if classes else job.targets[0],
    )


def _draw_attention(
    network: VideoModel, store: ClipStore, job: FinetuneJob, path: Path, name: str
) -> None:
    """Draw where the stages attend."""
    from svfap.plots.clip_figures import Scale, draw_filmstrips

    strips, captions = insight.attention_strips(network, store, job)
    draw_filmstrips(
        strips,
        title=f"{name}: where the model looks in test clips",
        path=path,
        notice=job.notice,
        captions=captions,
        scale=Scale(insight.COLOURS, insight.HIGHEST, "attention", insight.MARKS),
    )
