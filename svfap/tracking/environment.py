"""The environment variables that say where runs are tracked."""

import os
from pathlib import Path
from urllib.parse import unquote

from svfap.redact import USERINFO

SQLITE = "sqlite:///"
DEFAULT_URI = f"{SQLITE}results/mlflow.db"
DEFAULT_EXPERIMENT = "svfap"


def tracking_uri() -> str:
    """Return the address of the MLflow server or database that shows runs, or "off".

    It may contain a password: show `redacted(tracking_uri())`.

    The address is `MLFLOW_TRACKING_URI`, or a local SQLite file if this variable is not set.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI
    if uri.startswith(SQLITE):
        return f"{SQLITE}{Path(uri.removeprefix(SQLITE)).absolute()}"
    return uri


def without_login(uri: str) -> str:
    """Return the address of a server without user and password, for MLflow to connect to.

    MLflow reads both from two variables, which this function sets. So it sends them with every
    request, also for files, and cannot show them with the address. Other addresses are returned
    unchanged: databases, and a token without a password, which the HTTP library sends by itself.
    """
    found = USERINFO.search(uri)
    user, _, password = found[0].removesuffix("@").partition(":") if found else ("", "", "")
    if not (uri.lower().startswith("http") and user and password):
        return uri
    os.environ["MLFLOW_TRACKING_USERNAME"] = unquote(user)
    os.environ["MLFLOW_TRACKING_PASSWORD"] = unquote(password)
    return USERINFO.sub("", uri)


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
