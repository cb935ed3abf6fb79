"""Features of a frozen encoder: computed once per view of a clip, and kept for all folds and runs.

The file of a part's features lies beside its shards, in the folder `features`. Its name is a hash
of everything that the features depend on, so runs with the same encoder share the file, and a
changed clip, encoder or view makes another one.
"""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from svfap.config.made_by import file_hash
from svfap.config.stage_sections import FinetuneJob
from svfap.evaluation.scoring import Scorer, list_views
from svfap.models import VideoModel
from svfap.progress import track
from svfap.shards.store import ClipStore
from svfap.tracking.locks import locked
from svfap.training import tensor_file
from svfap.training.distributed import device
from svfap.training.objectives import normalise, unit_range

FORMAT = 1  # of the files; a change of it, or of how features are computed, makes new ones
BATCH_SIZE = 16  # views of a forward pass; it changes rounding only

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Features:
    """What the head receives, for n views of clips.

    Attributes:
        values: mean of each view's tokens, (n, C) float32; or all N tokens, (n, N, C) float16.
        keys: key of the clip of each view.
    """

    values: Tensor
    keys: list[str]


def features_of(
    model: VideoModel,
    indexes: Sequence[Path],
    job: FinetuneJob,
    *,
    encoder: str,
    mirrored: bool = False,
) -> Features:
    """Return the features of all views of the clips in some parts.

    Views are in the order of `evaluation.scoring.list_views` of each part.

    Args:
        model: the model with the frozen encoder.
        indexes: `index.parquet` of every part.
        job: the model's sizes, and which views of a clip to take.
        encoder: SHA-256 of the checkpoint that the encoder comes from.
        mirrored: whether to mirror the frames from left to right.

    Raises:
        SvfapError: a shard or a kept file is damaged.
        OSError: the file cannot be written.
    """
    parts = [_of_part(model, index, job, encoder, mirrored) for index in indexes]
    values = torch.cat([part.values for part in parts])
    return Features(values, [key for part in parts for key in part.keys])


def _of_part(
    model: VideoModel, index: Path, job: FinetuneJob, encoder: str, mirrored: bool
) -> Features:
    """Read the features of a part; compute and write them if there are none."""
    path = index.with_name("features") / f"{_hash(index, job, encoder, mirrored)}.pt"
    if not path.is_file():
        path.parent.mkdir(exist_ok=True)
        # Folds that run at the same time need the same features: one computes, the others wait.
        with locked(path.with_suffix(".lock")):
            if not path.is_file():
                found = _compute(model, ClipStore([index]), job, mirrored)
                tensor_file.write(path, {"values": found.values, "keys": found.keys})
                size = path.stat().st_size / 1e6
                logger.info("%s: features of %d views, %.1f MB", path, len(found.keys), size)
    kept = tensor_file.read(path)
    return Features(kept["values"], kept["keys"])


def _hash(index: Path, job: FinetuneJob, encoder: str, mirrored: bool) -> str:
    """Hash everything that the features of a part depend on."""
    settings = job.finetune
    facts = {
        "format": FORMAT,
        "clips": file_hash(index),
        "encoder": encoder,
        "model": job.model.model_dump(mode="json"),
        "stride": settings.stride or job.stride,
        "views": settings.probe.views,
        "mirrored": mirrored,
        "fusion": settings.fusion,
        "pool": settings.pool,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:24]


@torch.inference_mode()
def _compute(model: VideoModel, store: ClipStore, job: FinetuneJob, mirrored: bool) -> Features:
    """Compute the features of all views of a store's clips."""
    scorer = Scorer(model.to(device()).eval(), job)
    views = list_views(store, job, job.finetune.probe.views)
    batches = [views[start : start + BATCH_SIZE] for start in range(0, len(views), BATCH_SIZE)]
    rows = []
    for batch in track(batches, total=len(batches), label="features", unit="batch"):
        video = scorer.to_video([store.frames(view.clip, view.indices) for view in batch])
        tokens = model.tokens(normalise(unit_range(video.flip(3) if mirrored else video)))
        # float16 halves the large files; a mean is small, and keeps all digits.
        rows.append((tokens.flatten(1, 2).half() if model.pool else model.pooled(tokens)).cpu())
    return Features(torch.cat(rows), [store.keys[view.clip] for view in views])
