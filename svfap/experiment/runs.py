"""The runs of a configuration: the main run and its variants, and what they share.

The main run writes to `results`, a variant to `results/variants/NAME`. Runs with equal pre-training
share it: the first of them trains it in its folder.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from svfap.config import Config
from svfap.config.stage_sections import CostConfig, CostJob, PretrainJob, TabulateConfig
from svfap.config.variants import RunFacts, Variant
from svfap.config.yaml_file import check, merge
from svfap.errors import SvfapError
from svfap.experiment.layout import run_folder
from svfap.experiment.resolve import Experiment

MAIN = ""


@dataclass(frozen=True)
class Run:
    """The main run of the experiment or a variant of it.

    Attributes:
        name: the variant's name; empty for the main run.
        experiment: its configuration, which builds the section of each stage.
        pretrained: folder of the run that pre-trains its model; None without pre-training.
        seed_of: the run that it repeats with another seed, or None.
    """

    name: str
    experiment: Experiment
    pretrained: str | None
    seed_of: str | None = None

    @property
    def folder(self) -> str:
        """Its folder below `results`; empty or with a slash at the end."""
        return run_folder(self.name)

    @property
    def pretrains(self) -> bool:
        """Whether it pre-trains a model itself."""
        return self.pretrained == self.folder


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
        pretrained = trainers.setdefault(own.pretrain(), folder) if own.pretrains else None
        first = recipes.setdefault(_recipe(own), name)
        runs[folder] = Run(name, own, pretrained, first if first != name else None)
    return runs


def tabulate(runs: Mapping[str, Run]) -> TabulateConfig:
    """Return the section of stage `tabulate`: facts of the main run and of its variants."""
    main, *others = runs.values()
    facts = {run.name: _run_facts(main.experiment.config.variants[run.name], run) for run in others}
    return main.experiment.tabulate().model_copy(update={"runs": facts})


def cost(runs: Mapping[str, Run]) -> CostConfig:
    """Return the section of stage `cost`: each run's model, with the head of its first dataset."""
    return CostConfig(
        runs={
            run.name: CostJob(
                model=run.experiment.config.model,
                outputs=len(next(iter(run.experiment.labelled.values())).targets),
                mask_ratio=run.experiment.config.pretrain.mask_ratio,
                target_fraction=run.experiment.config.pretrain.target_fraction,
            )
            for run in runs.values()
        }
    )


def _run_facts(variant: Variant, run: Run) -> RunFacts:
    return RunFacts(
        ablation=variant.ablation,
        label=variant.label or run.name,
        seed_of=run.seed_of,
        folds={name: tuple(run.experiment.folds(name)) for name in run.experiment.labelled},
    )


def _vary(experiment: Experiment, name: str, variant: Variant) -> Experiment:
    """Return the experiment with the changes of a variant."""
    where = f"variants.{name}"
    unknown = sorted({*variant.datasets} - {*experiment.labelled})
    if unknown:
        raise SvfapError(
            f"{where}.datasets: '{unknown[0]}' is no dataset with labels under `datasets`; choose"
            f" from {', '.join(experiment.labelled)}"
        )
    # Unlabelled datasets stay: pre-training may need them.
    left_out: set[str] = {*experiment.labelled} - {*variant.datasets} if variant.datasets else set()
    changes: dict[str, Any] = variant.model_dump(include={"model", "pretrain", "finetune"})
    changes["datasets"] = {
        dataset: chosen.model_dump(exclude_defaults=True)
        for dataset, chosen in variant.datasets.items()
    }
    if variant.seed is not None:
        changes["seed"] = variant.seed
    values = merge(experiment.config.model_dump(exclude={"variants"}), changes)
    values["datasets"] = {k: v for k, v in values["datasets"].items() if k not in left_out}
    config: Config = check(values, where=where)
    varied = Experiment(
        config, {k: v for k, v in experiment.datasets.items() if k in config.datasets}
    )
    for dataset in varied.datasets:
        varied.folds(dataset)  # raises if `only` is wrong
    return varied


def _recipe(experiment: Experiment) -> str:
    """Everything that a trained model depends on, without seeds and the choice of folds."""
    config = experiment.config
    seedless = config.pretrain.model_copy(update={"seed": None})
    chosen = {name: dataset.finetune for name, dataset in config.datasets.items()}
    return "\n".join(
        (
            config.model.model_dump_json(),
            seedless.model_dump_json() if experiment.pretrains else "",
            config.finetune.model_dump_json(),
            repr({name: changes for name, changes in chosen.items() if changes}),
        )
    )
