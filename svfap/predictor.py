"""The loader module that logged MLflow models name; the code is in `svfap.use.mlflow_model`."""

from svfap.use.mlflow_model import _load_pyfunc

__all__ = ["_load_pyfunc"]
