"""The runs of a configuration: the main run and its variants, and what they share.

The main run writes to `results`, a variant to `results/variants/NAME`. Runs with equal pre-training
share the model, which the first of them trains in its folder.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from svfap.config import Config, FinetuneConfig
from svfap.config.made_by import recipe
from svfap.config.stage_sections import (
    CostConfig,
    CostJob,
    ExpectedModel,
    PretrainJob,
    TabulateConfig,
)
from svfap.config.variants import RunFacts, Variant
from svfap.config.yaml_file import check, merge
from svfap.errors import SvfapError
from svfap.experiment.layout import MAIN, PRETRAINED, run_folder
from svfap.experiment.resolve import Experiment
from svfap.weights import start


@dataclass(frozen=True)
class Run:
    """The main run of the experiment or a variant of it.

    Attributes:
        name: the variant's name; empty for the main run.
        experiment: the run's configuration; it builds the section of each stage.
        pretrained_in: folder of the run that pre-trains its model; None without pre-training.
        seed_of: name of the run that this run repeats with another seed, or None.
    """

    name: str
    experiment: Experiment
    pretrained_in: str | None
    seed_of: str | None = None

    @property
    def folder(self) -> str:
        """Folder of the run below `results`; empty, or with a slash at the end."""
        return run_folder(self.name)

    @property
    def pretrains_itself(self) -> bool:
        """Whether the run pre-trains its model itself."""
        return self.pretrained_in == self.folder


def expand(experiment: Experiment) -> dict[str, Run]:
    """Return every run by its folder, the main run first.

    Raises:
        SvfapError: a variant's keys are wrong, or it names an unknown dataset or fold.
    """
    runs: dict[str, Run] = {}
    trainers: dict[PretrainJob, str] = {}  # pre-training -> folder of the first run that needs it
    recipes: dict[str, str] = {}  # recipe -> the first run that has it
    experiments = {MAIN: experiment} | {
        name: _vary(experiment, name, variant)
        for name, variant in experiment.config.variants.items()
    }
    for name, own in experiments.items():
        folder = run_folder(name)
        pretrained_in = None
        if own.needs_pretraining:
            # Sections compare by value, so runs with equal pre-training share a key.
            pretrained_in = trainers.setdefault(own.pretrain_section(), folder)
        first = recipes.setdefault(_recipe(own), name)
        runs[folder] = Run(name, own, pretrained_in, first if first != name else None)
    return runs


def main_run(runs: Mapping[str, Run]) -> Run:
    """Return the main run from the result of `expand`."""
    return runs[run_folder(MAIN)]


def tabulate_section(runs: Mapping[str, Run]) -> TabulateConfig:
    """Return the section of stage `tabulate`: facts of the main run and of its variants."""
    main = main_run(runs)
    variants = main.experiment.config.variants
    facts = {
        run.name: _run_facts(variants[run.name], run) for run in runs.values() if run.name != MAIN
    }
    expected = {run.name: _expected_model(run) for run in runs.values()}
    section = main.experiment.tabulate_section()
    return section.model_copy(update={"runs": facts, "expected": expected})


def cost_section(runs: Mapping[str, Run]) -> CostConfig:
    """Return the section of stage `cost`: each run's model, with the head of its first dataset."""
    return CostConfig(runs={run.name: _cost_job(run.experiment) for run in runs.values()})


def _cost_job(experiment: Experiment) -> CostJob:
    job = experiment.finetune_section(next(iter(experiment.labelled)))
    pretrain = experiment.config.pretrain
    # No other key of fine-tuning changes the cost, so none other reruns the stage.
    chosen = job.finetune.model_dump(include={"tune", "freeze", "pool", "lora"})
    return CostJob(
        model=job.model,
        outputs=len(job.targets),
        mask_ratio=pretrain.mask_ratio,
        target_fraction=pretrain.target_fraction,
        finetune=FinetuneConfig(**chosen),
    )


def _run_facts(variant: Variant, run: Run) -> RunFacts:
    return RunFacts(
        ablation=variant.ablation,
        label=variant.label or run.name,
        seed_of=run.seed_of,
        folds={name: tuple(run.experiment.folds(name)) for name in run.experiment.labelled},
    )


def _expected_model(run: Run) -> ExpectedModel:
    """Return hashes of the settings that a run's predictions must have been made with."""
    experiment = run.experiment
    own = run.pretrained_in
    return ExpectedModel(
        recipes={name: recipe(experiment.finetune_section(name)) for name in experiment.labelled},
        pretraining="" if own is None else recipe(experiment.pretrain_section()),
        checkpoint=experiment.config.pretrain.checkpoint
        if own is None
        else PRETRAINED.path(experiment.config.results, run=own),
    )


def _vary(experiment: Experiment, name: str, variant: Variant) -> Experiment:
    """Return the experiment with the changes of a variant."""
    where = f"variants.{name}"
    unknown = sorted({*variant.datasets} - {*experiment.labelled})
    if unknown:
        raise SvfapError(
            f"{where}.datasets: '{unknown[0]}' is not a dataset with labels under `datasets`;"
            f" choose from {', '.join(experiment.labelled)}"
        )
    # Unlabelled datasets stay: pre-training may need them.
    left_out: set[str] = {*experiment.labelled} - {*variant.datasets} if variant.datasets else set()
    given = variant.model_dump(include={"model", "pretrain", "finetune"})
    changes: dict[str, Any] = merge(start.defaults_of(given), given) | {"crop": {}}  # one for all
    changes["datasets"] = {
        dataset: chosen.model_dump(exclude_defaults=True)
        for dataset, chosen in variant.datasets.items()
    }
    if variant.seed is not None:
        changes["seed"] = variant.seed
    values = merge(experiment.config.model_dump(exclude={"variants", "machine"}), changes)
    values["datasets"] = {k: v for k, v in values["datasets"].items() if k not in left_out}
    machine = {"machine": experiment.config.machine}  # all runs use the same
    config: Config = check(values, where=where).model_copy(update=machine)
    start.check(config, where=where)
    varied = Experiment(
        config, {k: v for k, v in experiment.datasets.items() if k in config.datasets}
    )
    varied.check_folds()
    return varied


def _recipe(experiment: Experiment) -> str:
    """Return everything that a trained model depends on, except seeds and the choice of folds."""
    config = experiment.config
    seedless = config.pretrain.model_copy(update={"seed": None})
    chosen = {name: dataset.finetune for name, dataset in config.datasets.items()}
    return "\n".join(
        (
            config.model.model_dump_json(),
            seedless.model_dump_json() if experiment.needs_pretraining else "",
            config.finetune.model_dump_json(),
            repr({name: changes for name, changes in chosen.items() if changes}),
        )
    )
