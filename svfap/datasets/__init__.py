"""All datasets: those that come with the package, and the user's own by a CSV.

Importing this opens no video and imports neither torch nor any other heavy package.
"""

import difflib

from svfap.config import DatasetConfig
from svfap.datasets import folder
from svfap.datasets.base import Dataset
from svfap.datasets.demo import DEMO, DEMO_PRETRAIN
from svfap.errors import SvfapError

DATASETS: dict[str, Dataset] = {dataset.name: dataset for dataset in (DEMO, DEMO_PRETRAIN)}


def get(name: str, chosen: DatasetConfig | None = None) -> Dataset:
    """The dataset of a name.

    Args:
        name: as in the configuration's `datasets`.
        chosen: the configuration's entry; its `csv` means the user's own videos.

    Raises:
        SvfapError: the name is unknown, or the user's CSV is wrong.
    """
    if chosen is not None and chosen.csv is not None:
        return folder.load(
            name, chosen.csv, task=chosen.task, folds=chosen.folds, classes=chosen.classes
        )
    if name not in DATASETS:
        near = difflib.get_close_matches(name, DATASETS, n=1, cutoff=0.0)[0]
        raise SvfapError(
            f"unknown dataset '{name}'; did you mean '{near}'?"
            f" or give `csv:` below datasets.{name} to use your own videos"
        )
    return DATASETS[name]
