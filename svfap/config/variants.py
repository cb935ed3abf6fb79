"""Variants of an experiment: ablations, sweeps and further seeds, each a named run."""

from typing import Any

from pydantic import Field

from svfap.config.section import Name, Section


class VariantDataset(Section):
    """Changes of a variant for one dataset."""

    only: tuple[str, ...] = Field(default=(), description="folds to run; (): the main run's")
    finetune: dict[str, Any] = Field(default_factory=dict, description="overrides of `finetune`")


class Variant(Section):
    """The experiment with some keys changed.

    A variant shares data with all runs. It shares pre-training with an earlier run unless keys of
    `pretrain`, `model` or `seed` differ.
    """

    ablation: str = Field(default="", description="title of its table; '': Variants or Seeds")
    label: str = Field(default="", description="name of the row; '': the variant's name")
    seed: int | None = Field(default=None, description="null: the main run's")
    model: dict[str, Any] = Field(default_factory=dict, description="overrides of `model`")
    pretrain: dict[str, Any] = Field(default_factory=dict, description="overrides of `pretrain`")
    finetune: dict[str, Any] = Field(default_factory=dict, description="overrides of `finetune`")
    datasets: dict[Name, VariantDataset] = Field(
        default_factory=dict, description="datasets to fine-tune on; {}: all of the main run"
    )


class RunFacts(Section):
    """Facts of a variant that tables need."""

    ablation: str = ""
    label: str
    seed_of: str | None = Field(
        default=None, description="the run that it repeats with another seed; '' is the main run"
    )
    folds: dict[str, tuple[str, ...]] = Field(description="the folds to run, by dataset")
