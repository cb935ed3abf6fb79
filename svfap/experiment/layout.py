"""Paths of all outputs, for rules, tables, planning and prediction.

A pattern names its variable parts in braces, as wildcards of Snakemake do. `{run}` is the folder of
a run below `results`: empty for the main run, `variants/NAME/` for a variant.
"""

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from svfap.replacing import FACES_FOLDER, TARS_FOLDER

Root = Literal["data", "results"]

CURVE = "curve.csv"  # beside a checkpoint
STATE = "state"  # folder beside a checkpoint, from which an interrupted training resumes
VARIANTS = "variants"
MAIN = ""  # name of the main run
FINAL = "final"  # in place of a fold: the model that has learnt from all clips of a dataset


@dataclass(frozen=True)
class Output:
    """A file or folder that a stage writes.

    Attributes:
        root: key of the configured folder that contains it.
        pattern: its path below that folder, with names in braces.
    """

    root: Root
    pattern: str

    def template(self, folder: Path) -> str:
        """Return the path with its names left in braces, as a rule needs it.

        Args:
            folder: the configured folder that `root` names, `data` or `results`.
        """
        return f"{folder}/{self.pattern}"

    def path(self, folder: Path, **names: str) -> Path:
        """Return the path of the output.

        Args:
            folder: the configured folder that `root` names, `data` or `results`.
            **names: values of the names in the pattern; `run` may be omitted.
        """
        return folder / self.pattern.format(**{"run": ""} | names)

    def parse(self, path: Path, *, below: Path | None = None) -> dict[str, str] | None:
        """Return the names in a path, or None if the path does not follow the pattern.

        A pattern without names gives an empty dictionary: compare the result with None.

        Args:
            path: the path of a file.
            below: the configured folder; None accepts any folder. Give it if you know it: a results
                folder that is itself called `variants/x` looks like a variant otherwise.
        """
        if below is None:
            # The lazy prefix leaves as much as possible to the pattern, so `run` finds its folder.
            found = re.fullmatch(f"(?s:.*?/)??{self._expression}", path.as_posix())
        elif path.absolute().is_relative_to(below.absolute()):
            place = path.absolute().relative_to(below.absolute())
            found = re.fullmatch(self._expression, place.as_posix())
        else:
            return None
        return found.groupdict() if found else None

    def beside(self, name: str) -> "Output":
        """Return another output in the same folder."""
        return Output(self.root, str(PurePosixPath(self.pattern).with_name(name)))

    @property
    def _expression(self) -> str:
        """The pattern as a regular expression with a group per name."""
        groups = {"run": f"(?P<run>(?:{VARIANTS}/[^/]+/)?)"}
        pieces = re.split(r"\{(\w+)\}", self.pattern)  # text, name, text, name, ..., text
        return "".join(
            groups.get(piece, f"(?P<{piece}>[^/]+)") if number % 2 else re.escape(piece)
            for number, piece in enumerate(pieces)
        )


MANIFEST = Output("data", "raw/{dataset}/manifest.csv")
VIDEOS = Output("data", "videos/{dataset}")
CLIPS = Output("data", "crops/{dataset}/{part}/clips.csv")
RAW_STATE = CLIPS.beside("raw.json")
QUALITY = CLIPS.beside("quality.parquet")
REJECTS = CLIPS.beside("rejects.csv")
FACES = CLIPS.beside(FACES_FOLDER)
SHARDS = Output("data", "shards/{dataset}/{part}/index.parquet")
TARS = SHARDS.beside(TARS_FOLDER)

PRETRAINED = Output("results", "{run}pretrain/checkpoint.pt")
RECONSTRUCTION = PRETRAINED.beside("reconstruction.png")
RECONSTRUCTION_VIDEO = PRETRAINED.beside("reconstruction.mp4")
FINETUNED = Output("results", "{run}finetune/{dataset}/{fold}/checkpoint.pt")
PREDICTIONS = Output("results", "{run}evaluate/{dataset}/{fold}/predictions.parquet")
EMBEDDING = PREDICTIONS.beside("embedding.png")
ATTENTION = PREDICTIONS.beside("attention.png")

BASELINE = Output("results", "baseline/{dataset}/predictions.parquet")
COSTS = Output("results", "tables/costs.csv")
BENCHMARK = Output("results", "tables/benchmark.md")

FIGURES = Output("results", "figures")
CURVES_FIGURE = Output("results", "figures/{dataset}/curves.png")
CONFUSION_FIGURE = CURVES_FIGURE.beside("confusion.png")
CLASSES_FIGURE = CURVES_FIGURE.beside("classes.png")
SCATTER_FIGURE = CURVES_FIGURE.beside("scatter.png")
CROPS_FIGURE = CURVES_FIGURE.beside("crops.png")
CROP_QUALITY_FIGURE = CURVES_FIGURE.beside("crop_quality.png")

_JOBS = {
    "download": "download/{dataset}",
    "crop": "crop/{dataset}/{part}",
    "review": "review/{dataset}",
    "shard": "shard/{dataset}/{part}",
    "pretrain": "{run}pretrain",
    "finetune": "{run}finetune/{dataset}/{fold}",
    "evaluate": "{run}evaluate/{dataset}/{fold}",
    "baseline": "baseline/{dataset}",
    "cost": "cost",
    "tabulate": "tabulate",
}
# Stage -> what its job printed, and the time and memory that Snakemake measured.
LOGS = {stage: Output("results", f"logs/{job}.log") for stage, job in _JOBS.items()}
JOB_TIMES = {stage: Output("results", f"benchmarks/{job}.tsv") for stage, job in _JOBS.items()}


def record(output: Output) -> Output:
    """Return the record of the run that makes an output, see `svfap.tracking.record.declare`."""
    return output.beside(PurePosixPath(output.pattern).stem + ".jsonl")


def videos_of(manifest: Path) -> Path | None:
    """Return the declared folder of a dataset's videos; None for a manifest of another place."""
    names = MANIFEST.parse(manifest.absolute())
    return None if names is None else VIDEOS.path(manifest.parents[2], **names)


def place_of(path: Path) -> dict[str, str]:
    """Return what an output belongs to: variant, dataset, fold and part, as far as it has them."""
    outputs = (FINETUNED, PREDICTIONS, PRETRAINED, BASELINE, CLIPS, SHARDS, MANIFEST)
    names = next((found for each in outputs if (found := each.parse(path)) is not None), {})
    place = {"variant": variant_of(names.pop("run", "")), **names}
    return {key: value for key, value in place.items() if value}


def run_folder(variant: str) -> str:
    """Return the folder of a run below `results`: "" for the main run, else `variants/NAME/`."""
    return f"{VARIANTS}/{variant}/" if variant else ""


def variant_of(folder: str) -> str:
    """Return the name of the run in a folder below `results`; empty for the main run."""
    return folder.removeprefix(f"{VARIANTS}/").rstrip("/")
