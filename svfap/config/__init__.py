"""The keys of an experiment, typed and checked, and the reader of its YAML file."""

from svfap.config.machine import TrainingMachine
from svfap.config.model import ModelConfig
from svfap.config.schema import (
    FIXED_PRESETS,
    Config,
    CropConfig,
    DatasetConfig,
    Detector,
    Preset,
    ShardConfig,
)
from svfap.config.training import (
    Activation,
    FinetuneConfig,
    LoraConfig,
    OptimConfig,
    Pool,
    Precision,
    PretrainConfig,
    ProbeConfig,
    Tune,
)

__all__ = [
    "FIXED_PRESETS",
    "Activation",
    "Config",
    "CropConfig",
    "DatasetConfig",
    "Detector",
    "FinetuneConfig",
    "LoraConfig",
    "ModelConfig",
    "OptimConfig",
    "Pool",
    "Precision",
    "Preset",
    "PretrainConfig",
    "ProbeConfig",
    "ShardConfig",
    "TrainingMachine",
    "Tune",
]
