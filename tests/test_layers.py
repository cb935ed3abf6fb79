"""Imports go one way, and light stages stay light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "svfap"
HEAVY = {"torch", "torchvision", "timm", "mlflow", "face_alignment"}
LIGHT = {
    "svfap": HEAVY | {"cv2", "numpy", "pandas", "av", "matplotlib", "pydantic"},
    "svfap.jobs": HEAVY | {"cv2", "numpy", "pandas", "av", "matplotlib"},
    "svfap.runs": HEAVY | {"cv2", "numpy", "pandas", "av", "matplotlib"},
    "svfap.__main__": HEAVY | {"cv2", "numpy", "pandas", "av", "matplotlib"},
    "svfap.tracking": HEAVY | {"cv2", "numpy", "pandas", "av", "matplotlib"},
    "svfap.planning.command": HEAVY | {"cv2", "numpy", "pandas", "av", "matplotlib"},
    "svfap.stages.download": HEAVY | {"cv2", "numpy", "pandas"},
    "svfap.stages.crop": HEAVY,
    "svfap.stages.review": HEAVY,
    "svfap.stages.shard": HEAVY,
    "svfap.stages.tabulate": HEAVY | {"cv2"},
}
RANKS = {
    "registry": 0, "errors": 0, "section": 0, "order": 0, "progress": 0, "replacing": 0, "spool": 0,
    "record": 0, "canvas": 1, "variants": 1, "sources": 1, "tracking": 1, "config": 2,
    "stage_config": 3, "configfile": 3, "datasets": 3, "mlflow_models": 2, "mlflow_runs": 3,
    "mlflow_writer": 4, "mlflow_sync": 4, "jobs": 4, "video": 4, "metrics": 4, "catalogue": 4,
    "predictions": 4, "runs": 5, "shards": 5, "bootstrap": 5, "plots": 5, "charts": 5, "sheets": 6,
    "tables": 6, "faces": 5, "demo": 5, "models": 5, "clipstore": 6, "training": 7, "use": 8,
    "stages": 8, "predictor": 9, "planning": 9, "doctor": 8,
    "commands": 9, "__main__": 10, "launch": 11,
}  # fmt: skip


@pytest.mark.parametrize("module", LIGHT)
def test_light_modules_import_nothing_heavy(module):
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert not loaded & LIGHT[module]


def imported(path: Path) -> set[str]:
    """Names of the parts of the package that a file imports at its top."""
    names: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("svfap"):
            names |= {*(node.module.split(".")[1:2] or [alias.name for alias in node.names])}
    return names - {"__version__"}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=str)
def test_imports_go_down(path):
    own = path.relative_to(PACKAGE).with_suffix("").parts[0]
    if own == "__init__":
        return
    for name in imported(path):
        assert name == own or RANKS[name] < RANKS[own], f"{own} imports {name}"
    if own == "stages":
        assert "stages" not in imported(path), "a stage never imports another"


def test_few_modules_import_mlflow():
    users = {p.name for p in PACKAGE.rglob("*.py") if "from mlflow" in p.read_text()}
    assert users == {"mlflow_models.py", "mlflow_runs.py"}
