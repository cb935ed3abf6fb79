"""The module that MLflow models logged before version 0.2 name as their loader."""

from svfap.use.mlflow_model import _load_pyfunc

__all__ = ["_load_pyfunc"]
