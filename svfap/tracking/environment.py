"""The environment variables that say where runs are tracked."""

import os
from pathlib import Path

SQLITE = "sqlite:///"
DEFAULT_URI = f"{SQLITE}results/mlflow.db"
DEFAULT_EXPERIMENT = "svfap"


def tracking_uri() -> str:
    """Return the address of the MLflow server or database that shows runs, or "off".

    The address is `MLFLOW_TRACKING_URI`, or a local SQLite file if this variable is not set.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI
    if uri.startswith(SQLITE):
        return f"{SQLITE}{Path(uri.removeprefix(SQLITE)).absolute()}"
    return uri


def experiment_name() -> str:
    """Return the MLflow experiment that new runs belong to."""
    return os.environ.get("MLFLOW_EXPERIMENT_NAME") or DEFAULT_EXPERIMENT


def set_tracking_defaults(results: Path) -> None:
    """Make this process and its children track in a results folder, unless the user set a place.

    The default name of the MLflow experiment is PROJECT/RESULTS, the names of the two folders.
    """
    os.environ.setdefault("MLFLOW_TRACKING_URI", f"{SQLITE}{results}/mlflow.db")
    folder = results.absolute()
    os.environ.setdefault("MLFLOW_EXPERIMENT_NAME", f"{folder.parent.name}/{folder.name}")
