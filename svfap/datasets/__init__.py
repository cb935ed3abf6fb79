"""All datasets: the table `DATASETS` of known ones, and the user's own videos listed in a CSV.

To add a dataset, write a module like `mead.py`, import its `Dataset` here and add it to the table.
Importing this module opens no video and imports neither torch nor any other heavy package.
"""

import difflib
from dataclasses import replace

from svfap.config import DatasetConfig
from svfap.datasets import folder
from svfap.datasets.avcaffe import AVCAFFE_AROUSAL, AVCAFFE_VALENCE
from svfap.datasets.chalearn import CHALEARN
from svfap.datasets.crema_d import CREMA_D
from svfap.datasets.daisee import DAISEE
from svfap.datasets.dataset import Dataset, is_dataset
from svfap.datasets.demo import DEMO, DEMO_PRETRAIN
from svfap.datasets.dfew import DFEW
from svfap.datasets.engagenet import ENGAGENET
from svfap.datasets.enterface05 import ENTERFACE05
from svfap.datasets.ferv39k import FERV39K
from svfap.datasets.holdout import with_validation
from svfap.datasets.mafw import MAFW
from svfap.datasets.mead import MEAD
from svfap.datasets.ravdess import RAVDESS
from svfap.datasets.voxceleb2 import VOXCELEB2
from svfap.datasets.werewolf_xl import WEREWOLF_XL
from svfap.errors import SvfapError

DATASETS: dict[str, Dataset] = {
    dataset.name: dataset
    for dataset in (
        DFEW,
        FERV39K,
        MAFW,
        CREMA_D,
        RAVDESS,
        ENTERFACE05,
        WEREWOLF_XL,
        AVCAFFE_AROUSAL,
        AVCAFFE_VALENCE,
        CHALEARN,
        MEAD,
        ENGAGENET,
        DAISEE,
        VOXCELEB2,
        DEMO,
        DEMO_PRETRAIN,
    )
}


def get(name: str, chosen: DatasetConfig | None = None) -> Dataset:
    """Return a dataset by its name, changed as the configuration asks.

    Args:
        name: name under `datasets` in the configuration; case and punctuation are ignored.
        chosen: the configuration's entry; with `csv`, it lists the user's own videos.

    Raises:
        SvfapError: the name or variant is unknown, or the user's CSV or folder is wrong.
    """
    chosen = chosen or DatasetConfig()
    if chosen.csv is not None:
        if any(is_dataset(name, known) for known in DATASETS):
            raise SvfapError(
                f"datasets.{name}: this is the name of a known dataset, whose published results"
                " tables would show beside yours; give your own videos another name"
            )
        dataset = folder.load(
            name,
            chosen.csv,
            task=chosen.task,
            folds=chosen.folds,
            classes=chosen.classes,
            names_as_written=chosen.names_as_written,
            named=dict(chosen.columns.items()),
        )
    else:
        dataset = _variant(_known_dataset(name), name, chosen.variant)
    if chosen.allow_incomplete:
        number = dataset.published.clips
        size = f", which has {number:,} clips" if number else ""
        notice = f"The copy of {dataset.name} was allowed to differ from the published one{size}."
        dataset = replace(dataset, notice=f"{dataset.notice} {notice}".strip())
    return with_validation(dataset, chosen.validation) if chosen.validation else dataset


def _known_dataset(name: str) -> Dataset:
    """Return the dataset that has this name in the table `DATASETS`."""
    for known, dataset in DATASETS.items():
        if is_dataset(name, known):
            return dataset
    lower = {known.casefold(): known for known in DATASETS}
    within = [known for known in lower if name.casefold() in known]
    best = within or difflib.get_close_matches(name.casefold(), lower, n=1, cutoff=0.0)
    near = lower[best[0]]
    raise SvfapError(
        f"unknown dataset '{name}'; did you mean '{near}'?"
        f" For your own videos, set datasets.{name}.csv"
    )


def _variant(dataset: Dataset, name: str, variant: str) -> Dataset:
    """Return a variant of a dataset; the variant '' is the paper's protocol."""
    if not variant:
        return dataset
    if variant not in dataset.variants:
        known = ", ".join(dataset.variants) or "none"
        raise SvfapError(f"datasets.{name}.variant: unknown '{variant}'; known: {known}")
    return dataset.variants[variant]
