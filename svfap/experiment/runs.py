"""All runs of a configuration: the main one and its variants, and what they share.

The main run's results lie in `results`, those of a variant in `results/variants/NAME`. A
pre-training that several runs need is made in the folder of the first of them.
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
    """A run of the experiment.

    Attributes:
        name: the variant's name; empty for the main run.
        experiment: gives each of its stages its section.
        pretrained: folder of the run that makes its pre-trained model; None if none is made.
        seed_of: the run that it repeats with another seed.
    """

    name: str
    experiment: Experiment
    pretrained: str | None
    seed_of: str | None = None

    @property
    def folder(self) -> str:
        """Where its results lie, below `results`; empty or with a slash at its end."""
        return run_folder(self.name)

    @property
    def pretrains(self) -> bool:
        """Whether its own folder holds a pre-trained model."""
        return self.pretrained == self.folder


def expand(experiment: Experiment) -> dict[str, Run]:
    """Every run by its folder, the main one first.

    Raises:
        SvfapError: a variant's keys are wrong, or it names a dataset or fold that there is not.
    """
    made: dict[str, Run] = {}
    makers: dict[PretrainJob, str] = {}
    recipes: dict[str, str] = {}
    experiments = {MAIN: experiment} | {
        k: _varied(experiment, k, v) for k, v in experiment.config.variants.items()
    }
    for name, own in experiments.items():
        pretrained = makers.setdefault(own.pretrain(), run_folder(name)) if own.pretrains else None
        like = recipes.setdefault(_recipe(own), name)
        made[run_folder(name)] = Run(name, own, pretrained, like if like != name else None)
    return made


def tabulate(runs: Mapping[str, Run]) -> TabulateConfig:
    """For the stage `tabulate`: the main run's facts, and what sets the variants apart."""
    main, *others = runs.values()
    facts = {run.name: _facts(main.experiment.config.variants[run.name], run) for run in others}
    return main.experiment.tabulate().model_copy(update={"runs": facts})


def cost(runs: Mapping[str, Run]) -> CostConfig:
    """For the stage `cost`: the model of each run, with the head of its first dataset."""
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


def _facts(variant: Variant, run: Run) -> RunFacts:
    return RunFacts(
        ablation=variant.ablation,
        label=variant.label or run.name,
        seed_of=run.seed_of,
        folds={name: tuple(run.experiment.folds(name)) for name in run.experiment.labelled},
    )


def _varied(experiment: Experiment, name: str, variant: Variant) -> Experiment:
    """The experiment of a variant."""
    where = f"variants.{name}"
    unknown = sorted({*variant.datasets} - {*experiment.labelled})
    if unknown:
        raise SvfapError(
            f"{where}.datasets: '{unknown[0]}' is no dataset with labels under `datasets`; there"
            f" are {', '.join(experiment.labelled)}"
        )
    left_out = {*experiment.labelled} - {*variant.datasets} if variant.datasets else {*()}
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
        varied.folds(dataset)
    return varied


def _recipe(experiment: Experiment) -> str:
    """All that a model depends on but seeds and the choice of folds."""
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
