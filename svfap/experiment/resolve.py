"""Check a configuration, and build the section that each stage receives.

A section holds what the stage's output depends on and no more. The workflow passes it as JSON, so
Snakemake reruns a job exactly when something that it depends on has changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from svfap import datasets
from svfap.config import Config, CropConfig, DatasetConfig
from svfap.config.stage_sections import (
    BaselineFold,
    BaselineJob,
    DatasetFacts,
    EvaluateJob,
    FinetuneJob,
    PretrainJob,
    ReviewConfig,
    TabulateConfig,
)
from svfap.config.yaml_file import check, finetune_for, merge, parse
from svfap.datasets.dataset import Dataset, Fold
from svfap.errors import SvfapError
from svfap.experiment.layout import FINAL
from svfap.experiment.origin import origin
from svfap.weights import start


@dataclass(frozen=True)
class Experiment:
    """A checked configuration and the facts of its datasets."""

    config: Config
    datasets: Mapping[str, Dataset]

    @property
    def labelled(self) -> dict[str, Dataset]:
        """The datasets to fine-tune on."""
        return {k: v for k, v in self.datasets.items() if v.task != "unlabelled"}

    def folds(self, dataset: str) -> dict[str, Fold]:
        """Return the folds of a dataset to run: those in `only`, or all.

        Raises:
            SvfapError: `only` names a fold that the dataset does not have.
        """
        folds, only = self.datasets[dataset].folds, self.config.datasets[dataset].only
        unknown = sorted({*only} - {*folds})
        if unknown:
            raise SvfapError(
                f"datasets.{dataset}.only: no fold '{unknown[0]}'; choose from {', '.join(folds)}"
            )
        return {name: fold for name, fold in folds.items() if name in only or not only}

    def check_folds(self) -> None:
        """Check the chosen folds of every dataset.

        Raises:
            SvfapError: `only` names a fold that a dataset does not have, or a fold has the name of
                the final training.
        """
        for dataset in self.datasets:
            self.folds(dataset)
        for dataset in self.finals:
            if FINAL in self.datasets[dataset].folds:
                raise SvfapError(
                    f"datasets.{dataset}: a fold is called '{FINAL}', the name of the training on"
                    " all clips; rename the fold or remove finetune.final"
                )

    @property
    def finals(self) -> dict[str, Fold]:
        """Dataset -> all parts of its folds, for the datasets to train on once more as a whole."""
        found = {}
        for name, dataset in self.labelled.items():
            if finetune_for(self.config, name).final:
                folds = dataset.folds.values()
                parts = dict.fromkeys(p for f in folds for p in (*f.train, *f.validation, *f.test))
                found[name] = Fold(train=tuple(parts), test=())
        return found

    @property
    def pretrain_notice(self) -> str:
        """The notices of the pre-training data in one text, for example that they are synthetic."""
        notices = (self.datasets[name].notice for name in self.config.pretrain.datasets)
        return " ".join(filter(None, notices))

    @property
    def needs_pretraining(self) -> bool:
        """Whether fine-tuning needs a model that this workflow pre-trains.

        False if every dataset is trained from scratch, or if the user gives a checkpoint.
        """
        inits = {self.finetune_section(name).finetune.init for name in self.labelled}
        return "pretrained" in inits and self.config.pretrain.checkpoint is None

    def _same_videos(self, name: str) -> tuple[str, ...]:
        """Return the other datasets that have videos of a dataset, as far as lists tell."""
        own, chosen = self.datasets[name], self.config.datasets
        return tuple(
            other
            for other, dataset in self.datasets.items()
            if other != name
            and (
                own.name == dataset.name
                or (chosen[name].root is not None and chosen[name].root == chosen[other].root)
                or own.sources & dataset.sources
            )
        )

    def download_section(self, dataset: str) -> DatasetConfig:
        """Return the section of stage `download`: the dataset's keys, without training keys."""
        unused = {"finetune": {}, "only": (), "changed_by": "date"}
        return self.config.datasets[dataset].model_copy(update=unused)

    def crop_section(self, dataset: str) -> CropConfig:
        """Return the section of stage `crop`; its default preset is the paper's for the dataset."""
        preset = self.config.crop.preset or self.datasets[dataset].crop
        return self.config.crop.model_copy(update={"preset": preset})

    def review_section(self, dataset: str) -> ReviewConfig:
        """Return the section of stage `review`."""
        return ReviewConfig(notice=self.datasets[dataset].notice)

    def pretrain_section(self) -> PretrainJob:
        """Return the section of stage `pretrain`."""
        config, own = self.config, self.config.pretrain.seed
        # The seed moves to the top, so that equal pre-trainings of two runs have equal sections.
        return PretrainJob(
            seed=config.seed if own is None else own,
            notice=self.pretrain_notice,
            model=config.model,
            pretrain=config.pretrain.model_copy(update={"seed": None, "accept_licences": ()}),
        )

    def finetune_section(self, dataset: str, fold: str = "") -> FinetuneJob:
        """Return the section of stage `finetune`, which is the same for all folds but `FINAL`.

        Raises:
            SvfapError: the dataset has no labels, or its overrides do not fit it.
        """
        facts = self.datasets[dataset]
        if facts.task == "unlabelled":
            raise SvfapError(f"{dataset} has no labels to fine-tune on; choose another dataset")
        finetune = finetune_for(self.config, dataset)
        finetune = finetune.model_copy(update={"final": fold == FINAL})
        if facts.raw_targets and finetune.target_scale is None:
            finetune = finetune.model_copy(update={"target_scale": "raw"})
        public = start.public(self.config.pretrain.checkpoint)
        job = {
            "seed": self.config.seed,
            "task": facts.task,
            "targets": facts.targets,
            "stride": facts.stride,
            "notice": facts.notice,
            "public": str(public) if public and finetune.init == "pretrained" else "",
            "model": self.config.model,
            "finetune": finetune,
        }
        return parse(FinetuneJob, job, where=f"datasets.{dataset}")

    def evaluate_section(self, dataset: str, fold: str) -> EvaluateJob:
        """Return the section of stage `evaluate`."""
        views = finetune_for(self.config, dataset).views
        return EvaluateJob(dataset=dataset, fold=fold, views=views)

    def baseline_section(self, dataset: str) -> BaselineJob:
        """Return the section of stage `baseline`: it learns from the clips of fine-tuning."""
        facts = self.finetune_section(dataset)
        share = facts.finetune.fraction
        return BaselineJob(
            dataset=dataset,
            task=facts.task,
            targets=facts.targets,
            folds={
                name: BaselineFold(train=fold.train, test=fold.test)
                for name, fold in self.folds(dataset).items()
            },
            fraction=share,
            seed=self.config.seed if share < 1 else 0,
        )

    def tabulate_section(self) -> TabulateConfig:
        """Return the section of stage `tabulate`, without the variants."""
        facts = {}
        for name, dataset in self.labelled.items():
            init = self.finetune_section(name).finetune.init
            begun = origin(self.config, init=init, pretrain_notice=self.pretrain_notice)
            facts[name] = DatasetFacts(
                task=dataset.task,
                targets=dataset.targets,
                metrics=dataset.metrics,
                folds=tuple(dataset.folds),
                notice=" ".join(filter(None, (dataset.notice, begun))),
                same_videos=self._same_videos(name),
            )
        return TabulateConfig(
            datasets=facts,
            pretrain_notice=self.pretrain_notice,
            pretrain_names=", ".join(self.config.pretrain.datasets)
            if self.needs_pretraining
            else "",
        )


def resolve(values: object, *, where: str) -> Experiment:
    """Check a configuration and read the facts of its datasets.

    Args:
        values: the configuration as a YAML file holds it.
        where: name of the configuration in messages.

    Raises:
        SvfapError: the configuration or a dataset's CSV is wrong.
    """
    if isinstance(values, Mapping):  # else the check explains it
        values = merge(start.defaults_of(values), values)
    config = check(values, where=where)
    start.check(config, where=where)
    found = {name: datasets.get(name, chosen) for name, chosen in config.datasets.items()}
    _check_roots(config, found)
    experiment = Experiment(config, found)
    experiment.check_folds()
    if not experiment.labelled:
        raise SvfapError(f"{where}: no dataset with labels under `datasets`; add one, such as demo")
    return experiment


def _check_roots(config: Config, found: Mapping[str, Dataset]) -> None:
    """Check the folders of the user's copies.

    A folder in `data` may be missing, as the default may: the stage `download` makes it, or says
    how to get the dataset. So an experiment can be planned before its data are there.

    Raises:
        SvfapError: a folder does not exist, or is a file.
    """
    for name, dataset in found.items():
        root = config.datasets[name].root
        if root is None or root.is_dir():
            continue
        made = root.is_relative_to(config.data) or dataset.about.access in ("open", "embedded")
        if root.exists() or not made:
            problem = "is no folder" if root.exists() else "does not exist"
            raise SvfapError(
                f"datasets.{name}.root: {root} {problem}; name the folder of your copy"
            )
