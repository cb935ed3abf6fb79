"""The checked configuration, and functions that name a rule's inputs and parameters."""

import sys
from pathlib import Path

from svfap import jobs
from svfap.errors import SvfapError

try:
    PLAN = jobs.plan(config, where="config")
except SvfapError as error:
    print(f"svfap: error: {error}", file=sys.stderr)
    sys.exit(2)

DATA, RESULTS = PLAN.config.data, PLAN.config.results
TRACKING = ancient(f"{RESULTS}/tracking/ready.txt")

PRETRAINS = PLAN.pretrains
TABLE_FILES = [
    *("benchmark.csv", "benchmark.tex", "folds.csv", "folds.md"),
    *("per_class.csv", "per_class.md", "rejects.csv", "rejects.md"),
]

jobs.set_environment(RESULTS)


wildcard_constraints:
    dataset="|".join(PLAN.datasets),
    part="[^/]+",
    fold="[^/]+",


def download_config(wildcards):
    return PLAN.download(wildcards.dataset).model_dump_json()


def crop_config(wildcards):
    return PLAN.crop(wildcards.dataset).model_dump_json()


def review_config(wildcards):
    return PLAN.review(wildcards.dataset).model_dump_json()


def dataset_crops(wildcards):
    """The tables of face clips of every part of a dataset."""
    parts = PLAN.datasets[wildcards.dataset].parts
    return [f"{DATA}/crops/{wildcards.dataset}/{part}/clips.csv" for part in parts]


def listing(wildcards):
    """The CSV of a user's own videos."""
    csv = PLAN.config.datasets[wildcards.dataset].csv
    return [csv] if csv else []


def pretrain_shards(wildcards):
    return [
        f"{DATA}/shards/{name}/{part}/index.parquet"
        for name in PLAN.config.pretrain.datasets
        for part in PLAN.datasets[name].parts
    ]


def pretrained(wildcards):
    """The checkpoint to begin with: none, the user's, or the one made here."""
    if PLAN.finetune(wildcards.dataset).finetune.init == "scratch":
        return []
    return PLAN.config.pretrain.checkpoint or rules.pretrain.output.checkpoint


def finetune_config(wildcards):
    return PLAN.finetune(wildcards.dataset).model_dump_json()


def evaluate_config(wildcards):
    return PLAN.evaluate(wildcards.dataset).model_dump_json()


def train_shards(wildcards):
    fold = PLAN.datasets[wildcards.dataset].folds[wildcards.fold]
    return expand(
        f"{DATA}/shards/{wildcards.dataset}/{{part}}/index.parquet", part=fold.train
    )


def validation_shards(wildcards):
    fold = PLAN.datasets[wildcards.dataset].folds[wildcards.fold]
    return expand(
        f"{DATA}/shards/{wildcards.dataset}/{{part}}/index.parquet",
        part=fold.validation,
    )


def test_shards(wildcards):
    fold = PLAN.datasets[wildcards.dataset].folds[wildcards.fold]
    return expand(
        f"{DATA}/shards/{wildcards.dataset}/{{part}}/index.parquet", part=fold.test
    )


def per_fold(pattern):
    """A path for every dataset and fold."""
    return [
        pattern.format(dataset=name, fold=fold)
        for name, dataset in PLAN.labelled.items()
        for fold in dataset.folds
    ]


def per_part(pattern):
    """A path for every dataset and part."""
    return [
        pattern.format(dataset=name, part=part)
        for name, dataset in PLAN.datasets.items()
        for part in dataset.parts
    ]


def training_curves(pattern):
    """A path for every run that trains: `pretrain`, and `finetune/DATASET/FOLD`."""
    runs = per_fold("finetune/{dataset}/{fold}") + ["pretrain"] * PRETRAINS
    return [pattern.format(run=run) for run in runs]


def confusions(folder):
    """The confusion matrix of every dataset with classes."""
    classified = [k for k, v in PLAN.labelled.items() if v.task == "classification"]
    paths = [f"{folder}/{name}/confusion.png" for name in classified]
    return [shown(path, "confusion.rst", "Results") for path in paths]


def curve_figures(folder):
    """The training curves of every dataset, and of pre-training."""
    trained = [*PLAN.labelled, *["pretrain"] * PRETRAINS]
    paths = [f"{folder}/{name}/curves.png" for name in trained]
    return [shown(path, "curves.rst", "Training") for path in paths]


def shown(path, caption, category):
    """An output that stands in the report."""
    labels = {"dataset": Path(path).parent.name, "file": Path(path).stem}
    return report(
        path, caption=f"../report/{caption}", category=category, labels=labels
    )
