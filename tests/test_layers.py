"""Imports go one way, and light stages stay light."""

import ast
import graphlib
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "svfap"
HEAVY = {"torch", "torchvision", "timm", "mlflow", "face_alignment"}
LIGHT = {
    "svfap": HEAVY | {"cv2", "numpy", "pandas", "av", "matplotlib", "pydantic"},
    "svfap.experiment.resolve": HEAVY | {"cv2", "numpy", "pandas", "av", "matplotlib"},
    "svfap.experiment.runs": HEAVY | {"cv2", "numpy", "pandas", "av", "matplotlib"},
    "svfap.__main__": HEAVY | {"cv2", "numpy", "pandas", "av", "matplotlib"},
    "svfap.tracking.stage_run": HEAVY | {"cv2", "numpy", "pandas", "av", "matplotlib"},
    "svfap.commands.new": HEAVY | {"cv2", "pandas", "av", "matplotlib"},
    "svfap.commands.plan": HEAVY | {"cv2", "numpy", "pandas", "av", "matplotlib"},
    "svfap.commands.serve": HEAVY | {"cv2", "numpy", "pandas", "av", "matplotlib"},
    "svfap.serve.app": HEAVY | {"cv2", "numpy", "pandas", "av", "matplotlib"},
    "svfap.commands.weights": HEAVY | {"cv2", "numpy", "pandas", "av", "matplotlib"},
    "svfap.stages.download": HEAVY | {"cv2", "numpy", "pandas"},
    "svfap.stages.crop": HEAVY,
    "svfap.stages.review": HEAVY,
    "svfap.stages.shard": HEAVY,
    "svfap.stages.baseline": HEAVY,
    "svfap.stages.tabulate": HEAVY | {"cv2"},
}
LAYERS = (  # from bottom to top; a room imports rooms of lower layers only
    ("redact",),
    ("errors",),
    ("interrupts", "order", "progress", "replacing", "threads"),
    ("config", "plots", "sources", "augment", "overwriting"),
    ("datasets", "models", "video", "tracking"),
    ("weights",),
    ("experiment", "demo", "shards", "faces"),
    ("training",),
    ("evaluation",),
    ("probing",),
    ("tables", "doctor"),
    ("use", "stages"),
    ("planning", "predictor", "serve"),
    ("commands",),
    ("__main__",),
    ("launch",),
)
RANKS = {room: rank for rank, rooms in enumerate(LAYERS) for room in rooms}
MOST_ROOT_MODULES = 12


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
        return  # the public API, which imports inside functions
    for name in imported(path):
        assert name == own or RANKS[name] < RANKS[own], f"{own} imports {name}"
    if own == "stages":
        assert "stages" not in imported(path), "a stage never imports another"


def test_few_modules_import_mlflow():
    users = {p.name for p in PACKAGE.rglob("*.py") if "from mlflow" in p.read_text()}
    assert users == {"mlflow_models.py", "mlflow_copy.py"}


def test_the_root_holds_few_modules():
    assert len([*PACKAGE.glob("*.py")]) <= MOST_ROOT_MODULES


def test_every_public_class_name_is_unique():
    """So that a reader who searches for a name finds one thing."""
    names = Counter(
        node.name
        for path in PACKAGE.rglob("*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert not [name for name, count in names.items() if count > 1]


def imported_modules(path: Path) -> set[str]:
    """Modules of the package that a file imports, at its top or inside a function."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("svfap"):
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = {name for name in inner if is_module(name)}
            found |= modules | ({node.module} if modules != inner else set())
    return found


def is_module(name: str) -> bool:
    return (PACKAGE.parent / f"{name.replace('.', '/')}.py").is_file()


def test_no_import_circle():
    graph = {
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): imported_modules(path)
        for path in PACKAGE.rglob("*.py")
        if path.stem != "__init__"
    }
    assert [*graphlib.TopologicalSorter(graph).static_order()]
