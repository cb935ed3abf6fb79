"""The section of each stage: the part of the configuration that its output depends on.

`svfap/experiment/resolve.py` builds these sections from `Config`. A stage reads its section and
nothing else, so a changed key reruns exactly the jobs that depend on it.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from svfap.config import FinetuneConfig, ModelConfig, PretrainConfig
from svfap.config.section import Section
from svfap.config.variants import RunFacts


class DatasetFacts(Section):
    """Facts of a dataset that tables need, copied from `svfap/datasets`."""

    task: Literal["classification", "regression"]
    targets: tuple[str, ...] = Field(min_length=1, description="class names or regressed values")
    metrics: tuple[str, ...] = Field(
        min_length=1, description="names in `svfap.evaluation.metrics.METRICS`"
    )
    folds: tuple[str, ...] = Field(min_length=1, description="every fold of the protocol")
    notice: str = Field(default="", description="text shown with its results")
    same_videos: tuple[str, ...] = Field(
        default=(), description="other datasets of the configuration with videos of this one"
    )


class ReviewConfig(Section):
    """The notice to print on pictures of a dataset's face clips."""

    notice: str = Field(default="", description="text shown with its clips")


class PretrainJob(Section):
    """Everything that a pre-training depends on."""

    seed: int
    notice: str = ""
    model: ModelConfig
    pretrain: PretrainConfig


class FinetuneJob(Section):
    """Everything that fine-tuning on one dataset depends on."""

    seed: int
    task: Literal["classification", "regression"]
    targets: tuple[str, ...]
    stride: int = Field(ge=1, description="the dataset's own frame stride")
    notice: str = ""
    public: str = Field(default="", description="public model to start from, see `svfap.weights`")
    model: ModelConfig
    finetune: FinetuneConfig

    @model_validator(mode="after")
    def _consistent(self) -> "FinetuneJob":
        if self.finetune.balance != "none" and self.task != "classification":
            raise ValueError("finetune.balance needs classes; remove it if task is regression")
        blocks = sum(self.model.depths)
        if self.finetune.freeze > blocks:
            raise ValueError(f"finetune.freeze: the model has {blocks} blocks, fewer than that")
        limited = self.finetune.activation != "none"
        if self.task == "regression" and self.finetune.target_scale == "standardise" and limited:
            raise ValueError(
                "finetune.target_scale: a head with an activation cannot reach standardised"
                " values; remove one of the two keys"
            )
        return self

    @property
    def standardises(self) -> bool:
        """Whether targets are standardised for training."""
        scale = self.finetune.target_scale
        unlimited = self.finetune.activation == "none"
        return self.task == "regression" and (scale == "standardise" or (not scale and unlimited))


class EvaluateJob(Section):
    """How to test a fine-tuned model; its checkpoint holds everything else."""

    dataset: str = Field(default="", description="name of the dataset, for the predictions")
    fold: str = Field(default="", description="name of the fold, for the predictions")
    views: int = Field(default=2, ge=1)


class BaselineFold(Section):
    """The parts that the classical baseline trains on, and those that it scores."""

    train: tuple[str, ...]
    test: tuple[str, ...]


class BaselineJob(Section):
    """Everything that the classical baseline of a dataset depends on."""

    dataset: str = Field(default="", description="name of the dataset, for the predictions")
    task: Literal["classification", "regression"]
    targets: tuple[str, ...] = Field(min_length=1, description="class names or regressed values")
    folds: dict[str, BaselineFold] = Field(min_length=1, description="the folds to run")
    fraction: float = Field(default=1, gt=0, le=1, description="share of each class to train on")
    seed: int = Field(default=0, description="seed of the choice of that share")


class CostJob(Section):
    """What the cost of a run's model depends on."""

    model: ModelConfig
    outputs: int = Field(ge=1, description="outputs of the head")
    mask_ratio: float = Field(gt=0, lt=1)
    target_fraction: float = Field(default=1, gt=0, le=1)
    finetune: FinetuneConfig = Field(
        default=FinetuneConfig(), description="which weights fine-tuning trains"
    )


class CostConfig(Section):
    """The models of all runs; the main run's name is empty."""

    runs: dict[str, CostJob]


class ExpectedModel(Section):
    """The models of a run as the configuration has them, to recognise predictions of others."""

    recipes: dict[str, str] = Field(description="hash of the fine-tuning's settings, by dataset")
    pretraining: str = Field(default="", description="hash of the pre-training's settings")
    checkpoint: Path | None = Field(default=None, description="the pre-trained model")


class TabulateConfig(Section):
    """How to turn predictions into tables and figures."""

    datasets: dict[str, DatasetFacts] = Field(
        min_length=1, description="in the order of the tables"
    )
    pretrain_notice: str = Field(default="", description="notices of the pre-training data, joined")
    pretrain_names: str = Field(default="", description="datasets of the main run's pre-training")
    runs: dict[str, RunFacts] = Field(default_factory=dict, description="the variants, by name")
    expected: dict[str, ExpectedModel] = Field(
        default_factory=dict, description="the models of each run; the main run's name is empty"
    )
