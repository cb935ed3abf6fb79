"""The list of stages, in the order in which data passes through them.

The command line, the tables, planning and the documentation are made from this list.
"""

from typing import NamedTuple


class Stage(NamedTuple):
    """A stage of the pipeline.

    Attributes:
        name: name of its rule and of its module in `svfap/stages`.
        per: what one job handles: a dataset, part, run or fold.
        reads: its inputs, in Markdown.
        writes: its outputs, in Markdown.
        threads: number of CPUs that its rule reserves, unless a profile sets another number.
    """

    name: str
    per: str
    reads: str
    writes: str
    threads: int = 1


STAGES = (
    Stage(
        "download",
        "dataset",
        "embedded, local or HTTP sources",
        "`data/raw/DATASET/manifest.csv`",
        threads=4,
    ),
    Stage(
        "crop",
        "part",
        "raw videos",
        "`data/crops/DATASET/PART/clips.csv`, `quality.parquet`, `rejects.csv`, `faces/*.mkv`",
    ),
    Stage(
        "review", "dataset", "face clips", "`results/figures/DATASET/crops.png`, `crop_quality.png`"
    ),
    Stage(
        "shard",
        "part",
        "face clips",
        "`data/shards/DATASET/PART/index.parquet`, `*.tar` (WebDataset)",
    ),
    Stage(
        "pretrain",
        "run",
        "unlabelled shards",
        "`results/pretrain/checkpoint.pt`, `reconstruction.{png,mp4}`",
        threads=16,
    ),
    Stage(
        "finetune",
        "fold",
        "checkpoint, training parts",
        "`results/finetune/DATASET/FOLD/checkpoint.pt`",
        threads=8,
    ),
    Stage(
        "evaluate",
        "fold",
        "fine-tuned model, test parts",
        "`results/evaluate/DATASET/FOLD/predictions.parquet`, `embedding.png`, `attention.png`",
    ),
    Stage(
        "baseline",
        "dataset",
        "training and test parts",
        "`results/baseline/DATASET/predictions.parquet`",
    ),
    Stage("cost", "all runs", "sizes of the models", "`results/tables/costs.csv`"),
    Stage(
        "tabulate",
        "all runs",
        "predictions",
        "`results/tables/{summary,benchmark}.md`, `results/figures`",
    ),
)
STAGE_NAMES = tuple(stage.name for stage in STAGES)
THREADS = {stage.name: stage.threads for stage in STAGES}


def markdown_table() -> str:
    """Return the table of stages, as CONTRIBUTING.md and the documentation show it."""
    rows = [
        f"| `{stage.name}` | {stage.per} | {stage.reads} | {stage.writes} |" for stage in STAGES
    ]
    return "\n".join(["| stage | per | from | to |", "|---|---|---|---|", *rows])
