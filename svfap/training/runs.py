"""What pre-training and fine-tuning share: identity of a run, its curve, its checkpoint."""

import csv
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from svfap import __version__
from svfap.config import Section
from svfap.training import checkpoint
from svfap.training.loop import Row

STATE = "state/last.pt"
CURVE = "curve.csv"


def identity(config: Section, inputs: Iterable[Path]) -> str:
    """Hash of the settings and of the content of the input files."""
    digest = hashlib.sha256(config.model_dump_json().encode())
    for path in inputs:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def write_curve(path: Path, curve: Sequence[Row]) -> None:
    """Write a training curve as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(curve[0]))
        writer.writeheader()
        writer.writerows({k: f"{v:.6g}" for k, v in row.items()} for row in curve)


def write_checkpoint(path: Path, model: nn.Module, config: Section, **facts: Any) -> None:  # noqa: ANN401
    """Write a finished model with the settings it was trained with."""
    content = {
        "model": {key: value.cpu() for key, value in model.state_dict().items()},
        "config": config.model_dump(mode="json"),
        "version": __version__,
    }
    checkpoint.save(path, content | facts)
