"""`python -m svfap datasets [NAME]`: list all datasets, or describe one and what is missing."""

import argparse
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from svfap.config import Config, DatasetConfig
from svfap.config.yaml_file import load
from svfap.datasets import DATASETS, get
from svfap.datasets.dataset import Dataset
from svfap.datasets.facts import About
from svfap.datasets.verify import Census, has_content, list_clips
from svfap.errors import SvfapError

COLUMNS = ("dataset", "task", "clips", "folds", "access", "licence", "here")
RIGHT_ALIGNED = {"clips", "folds"}
LICENCE_WIDTH = 32
LINE_WIDTH = 96
ACCESS = {
    "open": "fetches itself",
    "sign-up": "sign up",
    "closed": "ask authors",
    "own": "yours",
    "embedded": "embedded",
}


def run(arguments: Sequence[str]) -> str:
    """Return the table of all datasets, or the description of one.

    Raises:
        SvfapError: the dataset is unknown, or the configuration is wrong.
    """
    parser = argparse.ArgumentParser(
        prog="svfap datasets",
        description="List all datasets, or describe one: facts, where to get it, what is missing.",
    )
    parser.add_argument("name", nargs="?", help="a dataset; default: list all")
    parser.add_argument("--config", type=Path, help="YAML file with the paths of your copies")
    parser.add_argument("--data", type=Path, help="folder of the data; default: data")
    chosen = parser.parse_args(arguments)
    config = load(chosen.config) if chosen.config else None
    data = chosen.data or (config.data if config else Path("data"))
    if chosen.name:
        return describe(chosen.name, _choice(config, chosen.name), data)
    return overview(config, data)


def overview(config: Config | None, data: Path) -> str:
    """Return a table with one line per dataset of the package and of the configuration."""
    own = [name for name, choice in config.datasets.items() if choice.csv] if config else []
    rows = [_row(name, _choice(config, name), data) for name in (*DATASETS, *own)]
    return "\n".join(_aligned_lines([COLUMNS, *rows]))


def describe(name: str, choice: DatasetConfig, data: Path) -> str:
    """Return all facts of a dataset, and the parts that are missing here."""
    dataset = get(name, choice)
    root = choice.root or data / "raw" / name
    facts = {**_protocol(dataset), **_source_and_licence(dataset.about), "folder": str(root)}
    lines = [dataset.name, *_paragraphs(facts), *_fold_lines(dataset)]
    return "\n".join([*lines, "", _completeness(dataset, root)])


def _choice(config: Config | None, name: str) -> DatasetConfig:
    return config.datasets.get(name, DatasetConfig()) if config else DatasetConfig()


def _row(name: str, choice: DatasetConfig, data: Path) -> tuple[str, ...]:
    dataset = get(name, choice)
    clips, about = dataset.published.clips, dataset.about
    return (
        name,
        dataset.task,
        f"{clips:,}" if clips else "?",
        str(len(dataset.folds)),
        ACCESS[about.access],
        textwrap.shorten(about.licence, LICENCE_WIDTH, placeholder=" ..."),
        _presence(dataset, data / "raw" / name, choice.root),
    )


def _presence(dataset: Dataset, raw: Path, root: Path | None) -> str:
    """Return whether a dataset is here, judged by its manifest or its first clip for speed."""
    if (raw / "manifest.csv").is_file():
        return "prepared"
    try:
        first = next(iter(dataset.clips(root or raw)), None)
    except SvfapError:
        return "no"
    return "found" if first and has_content(first.path) else "no"


def _protocol(dataset: Dataset) -> dict[str, str]:
    published = dataset.published
    variants = ", ".join(dataset.variants)
    return {
        "task": f"{dataset.task} of {', '.join(dataset.targets)}" if dataset.targets else "none",
        "clips": f"{published.clips:,}" if published.clips else "not published",
        "subjects": f"{published.subjects:,}" if published.subjects else "",
        "classes": ", ".join(
            f"{name} {count:,}"
            for name, count in zip(dataset.targets, published.classes, strict=False)
        ),
        "stride": f"{dataset.stride} frames",
        "metrics": ", ".join(dataset.metrics),
        "faces": "cropped by the publisher" if dataset.is_cropped else "to be cropped",
        "variants": variants and f"{variants} (key `variant`)",
        "split": dataset.split,
        "gaps": dataset.gaps,
        "broken": "; ".join(f"{key}: {fault}" for key, fault in published.broken.items()),
        "notice": dataset.notice,
    }


def _source_and_licence(about: About) -> dict[str, str]:
    return {
        "people": about.people,
        "licence": about.licence,
        "get it": about.apply or ACCESS[about.access],
        "place": ", ".join(about.place),
        "page": about.homepage,
        "cite": about.citation,
        "remarks": about.remarks,
    }


def _paragraphs(facts: dict[str, str]) -> Iterator[str]:
    """Yield each fact that is not empty as a label and an indented paragraph."""
    for label, text in facts.items():
        if text:
            lead = f"  {label:<10}"
            yield textwrap.fill(
                text,
                LINE_WIDTH,
                initial_indent=lead,
                subsequent_indent=" " * len(lead),
                break_on_hyphens=False,
                break_long_words=False,
            )


def _fold_lines(dataset: Dataset) -> Iterator[str]:
    for name in dataset.folds:
        train, test = dataset.published.folds.get(name, (0, 0))
        sizes = f": {train:,} clips for training, {test:,} for testing" if test else ""
        yield f"  fold {name}{sizes}"


def _completeness(dataset: Dataset, root: Path) -> str:
    """Return a line that says what is missing here, or that the copy is complete."""
    census = Census(dataset)
    try:
        for _ in census.count(list_clips(dataset, root)):
            pass  # the census is complete after the last clip
    except SvfapError as error:
        return f"Here: {error}"
    differences = census.differences()
    if differences and dataset.about.access == "embedded":
        return "Here: not yet, rendered when it is needed"
    if differences:
        return f"Here: {dataset.name}: {'; '.join(differences)}"
    unverified = "" if dataset.published.clips else " (no published count to compare with)"
    return f"Here: complete, {census.clips:,} clips{unverified}"


def _aligned_lines(rows: Sequence[tuple[str, ...]]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.rjust(width) if name in RIGHT_ALIGNED else cell.ljust(width)
            for name, cell, width in zip(COLUMNS, row, widths, strict=True)
        ]
        yield "  ".join(cells).rstrip()
