"""The table of datasets, and what importing it costs."""

import subprocess
import sys
from pathlib import Path

import pytest

from svfap.config import DatasetConfig
from svfap.datasets import DATASETS, get
from svfap.errors import SvfapError

HEAVY = {"torch", "torchvision", "cv2", "av", "numpy", "pandas", "mlflow", "matplotlib"}


def test_import_is_light() -> None:
    code = f"import sys, svfap.datasets, svfap.config; print({HEAVY} & sys.modules.keys())"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "set()\n"


def test_table_is_by_name() -> None:
    assert {"demo", "demo_pretrain"} <= DATASETS.keys()
    assert all(name == dataset.name for name, dataset in DATASETS.items())
    assert get("demo") is DATASETS["demo"]
    assert get("demo", DatasetConfig()) is DATASETS["demo"]


def test_unknown_name() -> None:
    with pytest.raises(SvfapError) as caught:
        get("demo_pretrian", DatasetConfig())
    assert str(caught.value) == (
        "unknown dataset 'demo_pretrian'; did you mean 'demo_pretrain'?"
        " For your own videos, set datasets.demo_pretrian.csv"
    )


def test_csv_makes_a_dataset(tmp_path: Path) -> None:
    path = tmp_path / "my.csv"
    rows = [f"{s}{label}.mp4,{label},{s}" for s in "abcdef" for label in ("x", "y")]
    path.write_text("path,label,subject\n" + "\n".join(rows))
    chosen = DatasetConfig(csv=path, folds=3, classes=("y", "x"))
    dataset = get("mine", chosen)
    assert (dataset.name, dataset.targets) == ("mine", ("y", "x"))
    assert dataset.parts == ("fold1", "fold2", "fold3")
    assert get("mine", DatasetConfig(csv=path, task="unlabelled", folds=2)).folds == {}
