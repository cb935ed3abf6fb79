"""What each stage is handed: the part of the configuration that it depends on, and no more.

The workflow passes these as JSON, so Snakemake reruns a job when, and only when, something that
it depends on has changed.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from svfap import datasets
from svfap.config import Config, CropConfig, DatasetConfig
from svfap.config.stage_sections import (
    DatasetFacts,
    EvaluateJob,
    FinetuneJob,
    PretrainJob,
    ReviewConfig,
    TabulateConfig,
)
from svfap.config.yaml_file import check, finetune_for, parse
from svfap.datasets.dataset import Dataset, Fold
from svfap.errors import SvfapError


@dataclass(frozen=True)
class Experiment:
    """A checked configuration and the facts of its datasets."""

    config: Config
    datasets: Mapping[str, Dataset]

    @property
    def labelled(self) -> dict[str, Dataset]:
        """Datasets to fine-tune on."""
        return {k: v for k, v in self.datasets.items() if v.task != "unlabelled"}

    def folds(self, dataset: str) -> dict[str, Fold]:
        """The folds of a dataset that are run.

        Raises:
            SvfapError: `only` names a fold that the dataset does not have.
        """
        folds, only = self.datasets[dataset].folds, self.config.datasets[dataset].only
        unknown = sorted({*only} - {*folds})
        if unknown:
            raise SvfapError(
                f"datasets.{dataset}.only: no fold '{unknown[0]}'; choose of {', '.join(folds)}"
            )
        return {name: fold for name, fold in folds.items() if name in only or not only}

    @property
    def pretrain_notice(self) -> str:
        """What must be said of the pre-training data."""
        notices = (self.datasets[name].notice for name in self.config.pretrain.datasets)
        return " ".join(filter(None, notices))

    @property
    def pretrains(self) -> bool:
        """Whether a checkpoint is needed that the user does not have."""
        inits = {self.finetune(name).finetune.init for name in self.labelled}
        return "pretrained" in inits and self.config.pretrain.checkpoint is None

    def download(self, dataset: str) -> DatasetConfig:
        """For the stage `download`."""
        return self.config.datasets[dataset].model_copy(update={"finetune": {}, "only": ()})

    def crop(self, dataset: str) -> CropConfig:
        """For the stage `crop`; without a preset, as the paper crops the dataset."""
        preset = self.config.crop.preset or self.datasets[dataset].crop
        return self.config.crop.model_copy(update={"preset": preset})

    def review(self, dataset: str) -> ReviewConfig:
        """For the stage `review`."""
        return ReviewConfig(notice=self.datasets[dataset].notice)

    def pretrain(self) -> PretrainJob:
        """For the stage `pretrain`."""
        config, own = self.config, self.config.pretrain.seed
        return PretrainJob(
            seed=config.seed if own is None else own,
            notice=self.pretrain_notice,
            model=config.model,
            pretrain=config.pretrain.model_copy(update={"seed": None}),
        )

    def finetune(self, dataset: str) -> FinetuneJob:
        """For the stage `finetune`."""
        facts = self.datasets[dataset]
        if facts.task == "unlabelled":
            raise SvfapError(f"{dataset} has no labels to fine-tune on")
        job = {
            "seed": self.config.seed,
            "task": facts.task,
            "targets": facts.targets,
            "stride": facts.stride,
            "notice": facts.notice,
            "model": self.config.model,
            "finetune": finetune_for(self.config, dataset),
        }
        return parse(FinetuneJob, job, where=f"datasets.{dataset}")

    def evaluate(self, dataset: str) -> EvaluateJob:
        """For the stage `evaluate`."""
        return EvaluateJob(views=finetune_for(self.config, dataset).views)

    def tabulate(self) -> TabulateConfig:
        """For the stage `tabulate`."""
        facts = {}
        for name, dataset in self.labelled.items():
            if dataset.task != "unlabelled":
                facts[name] = DatasetFacts(
                    task=dataset.task,
                    targets=dataset.targets,
                    metrics=dataset.metrics,
                    folds=tuple(dataset.folds),
                    notice=dataset.notice,
                )
        return TabulateConfig(
            datasets=facts,
            pretrain_notice=self.pretrain_notice,
            pretrain_names=", ".join(self.config.pretrain.datasets) if self.pretrains else "",
        )


def set_environment(results: Path) -> None:
    """Let jobs run this interpreter's programs, activated or not, and track in one place."""
    programs = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join((programs, os.environ.get("PATH", os.defpath)))
    os.environ.setdefault("MLFLOW_TRACKING_URI", f"sqlite:///{results}/mlflow.db")
    folder = results.absolute()
    os.environ.setdefault("MLFLOW_EXPERIMENT_NAME", f"{folder.parent.name}/{folder.name}")


def resolve(values: object, *, where: str) -> Experiment:
    """Check a configuration and look its datasets up.

    Raises:
        SvfapError: the configuration or a dataset's CSV is wrong.
    """
    config = check(values, where=where)
    found = {name: datasets.get(name, chosen) for name, chosen in config.datasets.items()}
    made = Experiment(config, found)
    for name in found:
        made.folds(name)
    if not made.labelled:
        raise SvfapError(f"{where}: no dataset with labels under `datasets`; add one, such as demo")
    return made
