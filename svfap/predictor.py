"""Loader of MLflow models logged before version 0.2, whose files name this module."""

from svfap.use.mlflow_model import _load_pyfunc

__all__ = ["_load_pyfunc"]
