"""Every key of an experiment, typed and checked, and how its YAML file is read."""

from svfap.config.schema import (
    Activation,
    Config,
    CropConfig,
    DatasetConfig,
    Detector,
    FinetuneConfig,
    ModelConfig,
    OptimConfig,
    Precision,
    Preset,
    PretrainConfig,
    ShardConfig,
)

__all__ = [
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
]
