"""Where runs are tracked: the user's choice, or the results folder."""

import os
from pathlib import Path

import pytest

from svfap.tracking import environment


@pytest.fixture
def nothing_set(monkeypatch):
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.setenv(name, "")  # so that the end of the test restores it
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("nothing_set")
def test_runs_are_tracked_in_the_results_folder():
    environment.set_tracking_defaults(Path("out"))
    assert os.environ["MLFLOW_TRACKING_URI"] == "sqlite:///out/mlflow.db"
    assert environment.tracking_uri() == f"sqlite:///{Path.cwd()}/out/mlflow.db"
    assert environment.experiment_name() == f"{Path.cwd().name}/out"


@pytest.mark.usefixtures("nothing_set")
def test_without_a_results_folder_there_are_defaults():
    assert environment.tracking_uri() == f"sqlite:///{Path.cwd()}/results/mlflow.db"
    assert environment.experiment_name() == environment.DEFAULT_EXPERIMENT


def test_the_users_choice_wins(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://host/mlflow")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    environment.set_tracking_defaults(Path("out"))
    assert environment.tracking_uri() == "https://host/mlflow"
    assert environment.experiment_name() == "mine"
