"""The keys of an experiment, typed and checked, and the reader of its YAML file."""

from svfap.config.machine import TrainingMachine
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
    ModelConfig,
    OptimConfig,
    Precision,
    PretrainConfig,
)

__all__ = [
    "FIXED_PRESETS",
    "Activation",
    "Config",
    "CropConfig",
    "DatasetConfig",
    "Detector",
    "FinetuneConfig",
    "ModelConfig",
    "OptimConfig",
    "Precision",
    "Preset",
    "PretrainConfig",
    "ShardConfig",
    "TrainingMachine",
]
