"""Variants of an experiment: ablations, sweeps and further seeds, each a named run."""

from typing import Any

from pydantic import Field

from svfap.config.section import Name, Section


class VariantDataset(Section):
    """What a variant changes for one dataset."""

    only: tuple[str, ...] = Field(default=(), description="folds to run; (): those of the main run")
    finetune: dict[str, Any] = Field(default_factory=dict, description="overrides of `finetune`")


class Variant(Section):
    """The experiment once more with some keys changed.

    It shares what is equal with the runs before it: data always, and pre-training unless one of
    its keys, or of the model's, is changed.
    """

    ablation: str = Field(default="", description="title of the table that it is a row of")
    label: str = Field(default="", description="what the row is called; '': the variant's name")
    seed: int | None = Field(default=None, description="null: that of the main run")
    model: dict[str, Any] = Field(default_factory=dict, description="overrides of `model`")
    pretrain: dict[str, Any] = Field(default_factory=dict, description="overrides of `pretrain`")
    finetune: dict[str, Any] = Field(default_factory=dict, description="overrides of `finetune`")
    datasets: dict[Name, VariantDataset] = Field(
        default_factory=dict, description="those to fine-tune on; {}: all of the main run"
    )


class RunFacts(Section):
    """What a table must know of a variant."""

    ablation: str = ""
    label: str
    seed_of: str | None = Field(
        default=None, description="the run that it repeats with another seed; '' is the main run"
    )
    folds: dict[str, tuple[str, ...]] = Field(description="the folds that it runs, by dataset")
