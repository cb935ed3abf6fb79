"""Names that the pipeline needs for itself; a configuration that uses one is refused when read."""

from collections.abc import Iterable
from pathlib import Path

from svfap.errors import SvfapError

# Figures of pre-training lie beside the figures of the datasets, in a folder of this name.
DATASETS = frozenset({"pretrain"})
# Columns of the tables that `predict` writes, beside a column for each class or regressed value.
TARGETS = frozenset({"video", "face", "start", "end", "start_frame", "end_frame", "windows"})
CLASSES = TARGETS | {"label"}  # the column of the most probable class
VARIANTS = "variants"  # folder of the variants below `results`


def check_datasets(names: Iterable[str], *, where: str) -> None:
    """Refuse names of datasets that are reserved, or that differ only in upper and lower case.

    Raises:
        SvfapError: a name is reserved, or two names are one folder on some file systems.
    """
    seen: dict[str, str] = {}
    for name in names:
        if name.casefold() in DATASETS:
            raise SvfapError(f"{where}: datasets.{name}: this name is reserved; choose another")
        other = seen.setdefault(name.casefold(), name)
        if other != name:
            raise SvfapError(
                f"{where}: datasets.{other} and datasets.{name} differ only in upper and lower"
                " case, which some file systems ignore; rename one"
            )


def check_targets(names: Iterable[str], *, classes: bool, where: object) -> None:
    """Refuse classes or regressed values whose names are columns of the tables of `predict`.

    Raises:
        SvfapError: a name is reserved.
    """
    for name in names:
        if name in (CLASSES if classes else TARGETS):
            raise SvfapError(
                f"{where}: '{name}' cannot be the name of a class or of a regressed value, because"
                f" the tables of `predict` have a column '{name}'; rename it"
            )


def check_results(folder: Path, *, where: str) -> None:
    """Refuse a folder of results that looks like a variant's folder.

    Raises:
        SvfapError: its parent is called `variants`.
    """
    if folder.absolute().parent.name == VARIANTS:
        raise SvfapError(
            f"{where}: results: {folder} looks like the folder of a variant; choose a folder"
            f" that is not directly in one called '{VARIANTS}'"
        )
