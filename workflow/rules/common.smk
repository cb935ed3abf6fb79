"""The checked configuration, and functions that name a rule's inputs and parameters."""

import shlex
import signal
import sys
from pathlib import Path

from svfap.errors import SvfapError
from svfap.experiment import resolve, runs
from svfap.experiment.stage_list import THREADS
from svfap.tracking import stage_run

try:
    EXPERIMENT = resolve.resolve(config, where="config")
    RUNS = runs.expand(EXPERIMENT)
except SvfapError as error:
    print(f"svfap: error: {error}", file=sys.stderr)
    sys.exit(2)

DATA, RESULTS = EXPERIMENT.config.data, EXPERIMENT.config.results

PREDICTIONS = f"{RESULTS}/{{run}}evaluate/{{dataset}}/{{fold}}/predictions.parquet"
TABLE_FILES = [
    *("benchmark.csv", "benchmark.tex", "folds.csv", "folds.md"),
    *("per_class.csv", "per_class.md", "rejects.csv", "rejects.md"),
]

resolve.set_environment(RESULTS)
PIPELINE = stage_run.Pipeline(RESULTS, EXPERIMENT.config.model_dump(mode="json"))

# SLURM signals every process of a job. Only a stage is to take it up: it saves, and says where it
# stopped, while the shell, `tee` and Snakemake wait for it. Environments of conda hold no svfap.
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
CODE = shlex.quote(str(workflow.basedir)) + "${PYTHONPATH:+:$PYTHONPATH}"
shell.prefix("set -euo pipefail; trap '' TERM; export PYTHONPATH={CODE}; ")


wildcard_constraints:
    run=f"({'|'.join(RUNS)})",
    dataset="|".join(EXPERIMENT.datasets),
    part="[^/]+",
    fold="[^/]+",


# Functions, since Snakemake takes `{x}` in a plain parameter, as in a label, for a wildcard.
def download_config(wildcards):
    return EXPERIMENT.download(wildcards.dataset).model_dump_json()


def crop_config(wildcards):
    return EXPERIMENT.crop(wildcards.dataset).model_dump_json()


def shard_config(wildcards):
    return EXPERIMENT.config.shard.model_dump_json()


def cost_config(wildcards):
    return runs.cost(RUNS).model_dump_json()


def tabulate_config(wildcards):
    return runs.tabulate(RUNS).model_dump_json()


def review_config(wildcards):
    return EXPERIMENT.review(wildcards.dataset).model_dump_json()


def dataset_crops(wildcards):
    """The tables of face clips of every part of a dataset."""
    parts = EXPERIMENT.datasets[wildcards.dataset].parts
    return [f"{DATA}/crops/{wildcards.dataset}/{part}/clips.csv" for part in parts]


def listing(wildcards):
    """The CSV of a user's own videos."""
    csv = EXPERIMENT.config.datasets[wildcards.dataset].csv
    return [csv] if csv else []


def pretrain_shards(wildcards):
    return [
        f"{DATA}/shards/{name}/{part}/index.parquet"
        for name in RUNS[wildcards.run].experiment.config.pretrain.datasets
        for part in EXPERIMENT.datasets[name].parts
    ]


def pretrained(wildcards):
    """The checkpoint to begin with: none, the user's, or the one made here."""
    run = RUNS[wildcards.run]
    if run.experiment.finetune(wildcards.dataset).finetune.init == "scratch":
        return []
    own = run.experiment.config.pretrain.checkpoint
    return own or rules.pretrain.output.checkpoint.format(run=run.pretrained)


def pretrain_config(wildcards):
    return RUNS[wildcards.run].experiment.pretrain().model_dump_json()


def finetune_config(wildcards):
    return RUNS[wildcards.run].experiment.finetune(wildcards.dataset).model_dump_json()


def evaluate_config(wildcards):
    return RUNS[wildcards.run].experiment.evaluate(wildcards.dataset).model_dump_json()


def train_shards(wildcards):
    fold = EXPERIMENT.datasets[wildcards.dataset].folds[wildcards.fold]
    return expand(
        f"{DATA}/shards/{wildcards.dataset}/{{part}}/index.parquet", part=fold.train
    )


def validation_shards(wildcards):
    fold = EXPERIMENT.datasets[wildcards.dataset].folds[wildcards.fold]
    return expand(
        f"{DATA}/shards/{wildcards.dataset}/{{part}}/index.parquet",
        part=fold.validation,
    )


def test_shards(wildcards):
    fold = EXPERIMENT.datasets[wildcards.dataset].folds[wildcards.fold]
    return expand(
        f"{DATA}/shards/{wildcards.dataset}/{{part}}/index.parquet", part=fold.test
    )


def per_fold(pattern):
    """A path for every run, dataset and fold."""
    return [
        pattern.format(run=folder, dataset=name, fold=fold)
        for folder, run in RUNS.items()
        for name in run.experiment.labelled
        for fold in run.experiment.folds(name)
    ]


def per_part(pattern):
    """A path for every dataset and part."""
    return [
        pattern.format(dataset=name, part=part)
        for name, dataset in EXPERIMENT.datasets.items()
        for part in dataset.parts
    ]


def training_curves(pattern):
    """A path for every training of the main run: `pretrain`, and `finetune/DATASET/FOLD`."""
    folds = [
        f"finetune/{name}/{fold}"
        for name in EXPERIMENT.labelled
        for fold in EXPERIMENT.folds(name)
    ]
    trained = folds + ["pretrain"] * RUNS[runs.MAIN].pretrains
    return [pattern.format(training=training) for training in trained]


def variant_tables(folder):
    """The tables that only some configurations have."""
    names = ["ablations"] if EXPERIMENT.config.variants else []
    names += (
        ["comparison"]
        if any(name.lower() == "dfew" for name in EXPERIMENT.labelled)
        else []
    )
    pages = [
        shown(f"{folder}/{name}.html", f"{name}.rst", "1 Tables") for name in names
    ]
    files = expand(f"{folder}/{{name}}.{{kind}}", name=names, kind=["md", "tex"])
    return pages + files


def class_figures(folder):
    """Confusion matrix and accuracies by class of every dataset with classes."""
    classified = [
        k for k, v in EXPERIMENT.labelled.items() if v.task == "classification"
    ]
    return [
        shown(f"{folder}/{name}/{kind}.png", f"{kind}.rst", "2 Figures")
        for kind in ("classes", "confusion")
        for name in classified
    ]


def curve_figures(folder):
    """The training curves of every dataset, and of pre-training."""
    trained = [*EXPERIMENT.labelled, *["pretrain"] * RUNS[runs.MAIN].pretrains]
    paths = [f"{folder}/{name}/curves.png" for name in trained]
    return [shown(path, "curves.rst", "3 Training") for path in paths]


def beside(name):
    """A file in the folder of the predictions."""
    return PREDICTIONS.replace("predictions.parquet", name)


def shown(path, caption, category):
    """An output that stands in the report."""
    path, folder = str(path), Path(path).parent
    labels = {"of": folder.name, "file": Path(path).name}
    if "{fold}" in path:
        labels["of"] = "{run}{dataset} {fold}"
    elif "{run}" in path:
        labels["of"] = "{run}pretrain"
    return report(
        path, caption=f"../report/{caption}", category=category, labels=labels
    )
