"""Stage `download`: download, unpack or render a dataset's videos and list them in a manifest."""

import logging
from collections.abc import Callable
from pathlib import Path

from svfap.config import DatasetConfig
from svfap.config.labels import LabelNames
from svfap.datasets import get, raw_videos
from svfap.datasets.dataset import Dataset, write_manifest
from svfap.datasets.verify import Census, list_clips
from svfap.errors import SvfapError
from svfap.experiment import layout
from svfap.replacing import replacing
from svfap.sources import SourceError

logger = logging.getLogger(__name__)


def run(config: DatasetConfig, *, dataset: str, output: Path, log: Callable[..., None]) -> None:
    """Download a dataset's videos, unless the user has them, and write its manifest.

    Args:
        config: the dataset's entry in the configuration.
        dataset: name of the dataset.
        output: the manifest, `data/raw/{dataset}/manifest.csv`; it appears only when complete.
            Without `config.root`, the videos are stored beside it. Links to all of them are in the
            folder `layout.VIDEOS`.
        log: function that takes metrics as a mapping from name to value.

    Raises:
        SvfapError: the dataset is unknown, missing, incomplete or inconsistent, or the manifest
            cannot be written.
    """
    source = get(dataset, config)
    root = config.root or output.parent
    census = Census(source)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        _fetch(source, root, allow_incomplete=config.allow_incomplete)
        with replacing(output) as partial:
            labels = LabelNames(dataset=dataset, task=source.task, names=source.targets)
            clips = census.count(list_clips(source, root))
            write_manifest(partial, clips, labels=labels, copy=root)
            _check_complete(census, dataset, allow_incomplete=config.allow_incomplete)
        if folder := layout.videos_of(output):
            raw_videos.declare(output, folder)
    except OSError as error:
        raise SvfapError(
            f"{error.filename or output}: cannot be written ({error.strerror});"
            " check the folder's permissions and free space"
        ) from None
    for key, fault in census.broken.items():
        logger.warning("%s: %s is broken at its publisher: %s", dataset, key, fault)
    if source.split:
        logger.info("%s: %s", dataset, source.split)
    if source.gaps:
        logger.warning("%s: %s", dataset, source.gaps)
    log({"clips": census.clips, "subjects": census.subjects, "missing": census.missing})


def _fetch(dataset: Dataset, root: Path, *, allow_incomplete: bool) -> None:
    """Download, unpack or render missing videos; with `allow_incomplete`, only log failures."""
    try:
        dataset.fetch(root)
    except SourceError as error:
        if not allow_incomplete:
            raise
        logger.warning("%s", error)


def _check_complete(census: Census, dataset: str, *, allow_incomplete: bool) -> None:
    """Raise SvfapError if the copy differs from the published counts, unless that is allowed."""
    differences = "; ".join(census.differences())
    if differences and not allow_incomplete:
        raise SvfapError(
            f"{census.dataset.name}: {differences}; complete the copy, or set"
            f" datasets.{dataset}.allow_incomplete: true"
        )
    if differences:
        logger.warning("%s is incomplete: %s", census.dataset.name, differences)
