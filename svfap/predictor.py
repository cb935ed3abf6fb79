"""Loader module named by logged MLflow models; the code is in `svfap.use.mlflow_model`."""

from svfap.use.mlflow_model import _load_pyfunc

__all__ = ["_load_pyfunc"]
