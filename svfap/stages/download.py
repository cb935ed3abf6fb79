"""Stage `download`: bring a dataset's raw videos in place and list them in a manifest."""

import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from svfap.config import DatasetConfig
from svfap.datasets import get
from svfap.datasets.base import Clip, Dataset, write_manifest
from svfap.datasets.listing import SAFE_NAME
from svfap.errors import SvfapError


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
        SvfapError: the dataset is unknown or inconsistent, or the manifest cannot be written.
    """
    source = get(dataset, config)
    subjects: set[str] = set()
    partial = output.with_name(f".{output.name}.part")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        clips = write_manifest(partial, _checked(source, source.fetch(output.parent), subjects))
        partial.replace(output)
    except OSError as error:
        raise SvfapError(
            f"{error.filename or output}: cannot be written ({error.strerror});"
            " check the folder's permissions and free space"
        ) from None
    finally:
        if partial.is_file():
            partial.unlink()
    log({"clips": clips, "subjects": len(subjects)})


def _checked(dataset: Dataset, clips: Iterable[Clip], subjects: set[str]) -> Iterator[Clip]:
    """Pass clips through while they are as the dataset declares them; collect subjects."""
    keys: set[str] = set()
    parts: set[str] = set()
    for clip in clips:
        problem = _problem(dataset, clip)
        if clip.key.casefold() in keys:
            problem = "its key occurs twice"
        if problem:
            raise SvfapError(f"{dataset.name}: clip '{clip.key}': {problem}")
        keys.add(clip.key.casefold())
        parts.add(clip.part)
        subjects |= {clip.subject} - {""}
        yield clip
    missing = [part for part in dataset.parts if part not in parts]
    if missing:
        what = f"part '{missing[0]}' has no clips" if keys else "no clips were found"
        raise SvfapError(f"{dataset.name}: {what}; check that all its videos are in place")


def _problem(dataset: Dataset, clip: Clip) -> str:
    """What is wrong with a clip; '' if nothing is."""
    count = len(dataset.targets)
    if not SAFE_NAME.fullmatch(clip.key):
        return "its key may hold only letters, digits, '-' and '_'"
    if clip.part not in dataset.parts:
        return f"unknown part '{clip.part}'; known: {', '.join(dataset.parts)}"
    if dataset.task == "classification" and clip.target not in {(float(i),) for i in range(count)}:
        return f"target {clip.target} is not one class index from 0 to {count - 1}"
    if dataset.task == "regression" and len(clip.target) != count:
        return f"{len(clip.target)} targets instead of {count}"
    if dataset.task == "unlabelled" and clip.target:
        return f"target {clip.target} in unlabelled data"
    return "" if all(map(math.isfinite, clip.target)) else f"target {clip.target} is not finite"
