"""What made predictions: the model's checkpoint, its settings and its pre-training, as hashes.

Predictions carry this record, so that tables name the checkpoints behind their figures, and refuse
predictions that another configuration made.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from svfap.config.section import Section


class MadeBy(Section):
    """The model that made predictions; texts are empty where nothing is known.

    Attributes:
        model: SHA-256 of the fine-tuned model's checkpoint.
        recipe: `recipe` of the settings of its fine-tuning.
        pretrained: SHA-256 of the checkpoint that fine-tuning started from; empty from scratch.
        pretrain_recipe: `recipe` of the settings of the pre-training.
        pretrain_datasets: the datasets of the pre-training.
    """

    model: str = ""
    recipe: str = ""
    pretrained: str = ""
    pretrain_recipe: str = ""
    pretrain_datasets: tuple[str, ...] = ()


def recipe(job: Section) -> str:
    """Return a hash of all settings of a training."""
    return hashlib.sha256(job.model_dump_json().encode()).hexdigest()[:16]


def digest(texts: Iterable[str]) -> str:
    """Return a hash of several texts in a given order."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits, as `sha256sum` prints it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
