"""Stage `download`: bring a dataset's raw videos in place and list them in a manifest."""

import logging
from collections.abc import Callable
from pathlib import Path

from svfap.config import DatasetConfig
from svfap.datasets import get
from svfap.datasets.dataset import Dataset, write_manifest
from svfap.datasets.verify import Census, listed
from svfap.errors import SvfapError
from svfap.replacing import replacing
from svfap.sources import SourceError

logger = logging.getLogger(__name__)


def run(
    config: DatasetConfig, *, dataset: str, output: Path, log: Callable[..., None]
) -> None:  # fmt: skip
    """Write the manifest of a dataset, its videos next to it or where the user keeps them.

    Args:
        config: what the user chose for the dataset.
        dataset: its name.
        output: the manifest, `data/raw/{dataset}/manifest.csv`; it appears only when complete.
        log: takes metrics as a mapping from name to value.

    Raises:
        SvfapError: the dataset is unknown, absent, incomplete or inconsistent, or the manifest
            cannot be written.
    """
    source = get(dataset, config)
    root = config.root or output.parent
    census = Census(source)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        _bring(source, root, allow_incomplete=config.allow_incomplete)
        with replacing(output) as partial:
            write_manifest(partial, census.count(listed(source, root)))
            _judge(census, dataset, allow_incomplete=config.allow_incomplete)
    except OSError as error:
        raise SvfapError(
            f"{error.filename or output}: cannot be written ({error.strerror});"
            " check the folder's permissions and free space"
        ) from None
    if source.split:
        logger.info("%s: %s", dataset, source.split)
    if source.gaps:
        logger.warning("%s: %s", dataset, source.gaps)
    log({"clips": census.clips, "subjects": census.subjects, "missing": census.lost})


def _bring(dataset: Dataset, root: Path, *, allow_incomplete: bool) -> None:
    """Bring the videos in place; what cannot be had is forgiven if the user allows it."""
    try:
        dataset.bring(root)
    except SourceError as error:
        if not allow_incomplete:
            raise
        logger.warning("%s", error)


def _judge(census: Census, dataset: str, *, allow_incomplete: bool) -> None:
    """Refuse a copy that differs from what is published, unless the user allows it."""
    differences = "; ".join(census.differences())
    if differences and not allow_incomplete:
        raise SvfapError(
            f"{census.dataset.name}: {differences}; complete the copy, or set"
            f" datasets.{dataset}.allow_incomplete: true"
        )
    if differences:
        logger.warning("%s is incomplete: %s", census.dataset.name, differences)
