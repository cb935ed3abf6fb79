"""Where every output lies. Rules, tables, planning and models in use ask this module.

A pattern holds names in braces, as Snakemake's wildcards do. `{run}` is the folder of a run below
`results`: empty for the main run, `variants/NAME/` for a variant.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Root = Literal["data", "results"]

CURVE = "curve.csv"  # beside a checkpoint
STATE = "state"  # folder beside a checkpoint: what an interrupted training resumes from
VARIANTS = "variants"


@dataclass(frozen=True)
class Output:
    """An output of a stage.

    Attributes:
        root: the configured folder that it lies below.
        pattern: its place below that folder.
    """

    root: Root
    pattern: str

    def path(self, folder: Path, **names: str) -> Path:
        """Path of the output.

        Args:
            folder: the configured `data` or `results`, as `root` says.
            **names: values of the names in the pattern; `run` may be left out.
        """
        return folder / self.pattern.format(**{"run": ""} | names)

    def parse(self, path: Path, *, below: Path | None = None) -> dict[str, str] | None:
        """The names in a path, or None if the path does not follow the pattern.

        Args:
            path: the path of a file.
            below: the configured folder; None accepts any folder.
        """
        if below is not None:
            if not path.is_relative_to(below):
                return None
            path = path.relative_to(below)
        start = "" if below is not None else "(?:.*?/)??"
        names = re.sub(
            r"\\\{(\w+)\\\}",
            lambda name: rf"(?P<{name[1]}>[^/]+)",
            re.escape(self.pattern.removeprefix("{run}")),
        )
        run = rf"(?P<run>(?:{VARIANTS}/[^/]+/)?)" if self.pattern.startswith("{run}") else ""
        found = re.fullmatch(start + run + names, path.as_posix())
        return found.groupdict() if found else None


MANIFEST = Output("data", "raw/{dataset}/manifest.csv")
CLIPS = Output("data", "crops/{dataset}/{part}/clips.csv")
SHARDS = Output("data", "shards/{dataset}/{part}/index.parquet")
PRETRAINED = Output("results", "{run}pretrain/checkpoint.pt")
FINETUNED = Output("results", "{run}finetune/{dataset}/{fold}/checkpoint.pt")
PREDICTIONS = Output("results", "{run}evaluate/{dataset}/{fold}/predictions.parquet")
COSTS = Output("results", "tables/costs.csv")
BENCHMARK = Output("results", "tables/benchmark.md")
FIGURES = Output("results", "figures")


def run_folder(variant: str) -> str:
    """Folder of a run below `results`: empty for the main run, else with a slash at its end."""
    return f"{VARIANTS}/{variant}/" if variant else ""
