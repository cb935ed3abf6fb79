"""What each stage and command imports, and that a wrong argument is reported before torch loads."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from svfap.__main__ import MODULES
from svfap.commands import COMMANDS
from svfap.experiment.stage_list import STAGE_NAMES

COMPILER = {"torch._dynamo", "sympy"}
TIMM = {"timm", "torchvision"} | COMPILER
TABLES = {"pandas", "sklearn", "scipy", "matplotlib"}
TORCH = {"torch"} | TIMM
FORBIDDEN = {
    "download": TORCH | TABLES | {"mlflow", "cv2", "numpy"},
    "crop": TORCH | {"mlflow", "sklearn", "scipy"},
    "review": TORCH | {"mlflow", "sklearn", "scipy"},
    "shard": TORCH | {"mlflow", "sklearn", "scipy"},
    "pretrain": TIMM | TABLES | {"mlflow", "av"},
    "finetune": TIMM | TABLES | {"mlflow", "av"},
    "evaluate": TIMM | TABLES | {"mlflow", "av"},
    "baseline": TORCH | TABLES | {"mlflow", "av", "skimage"},
    "tabulate": TORCH | {"mlflow", "cv2", "sklearn", "scipy"},
    "cost": TORCH | TABLES | {"mlflow", "cv2", "pyarrow"},
    "predict": TORCH | TABLES | {"mlflow"},
    "serve": TORCH | TABLES | {"mlflow", "cv2", "uvicorn", "starlette"},
    "export": TORCH | TABLES | {"mlflow", "cv2"},
    "convert": TORCH | TABLES | {"mlflow", "cv2"},
    "weights": TORCH | TABLES | {"mlflow", "cv2"},
    "datasets": TORCH | TABLES | {"mlflow", "cv2"},
    "new": TORCH | TABLES | {"mlflow", "cv2"},
    "run": TORCH | TABLES | {"mlflow", "cv2"},
    "plan": TORCH | TABLES | {"mlflow", "cv2"},
    "doctor": TORCH | TABLES | {"mlflow"},
    "sync-tracking": TORCH | TABLES | {"mlflow", "cv2"},
}
# What a loaded model imports, whoever loads it: what `svfap.load` and `predict` run on.
LOADED = TIMM | {"mlflow", "sklearn", "scipy"}


def modules_after(code):
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules)"],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    return {*done.stdout.split()}


def test_every_stage_and_command_has_a_row():
    assert {*FORBIDDEN} == {*MODULES} == {*STAGE_NAMES, *COMMANDS}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_no_stage_or_command_imports_what_it_may_not_need(name):
    found = modules_after(f"import svfap.{MODULES[name]}") & FORBIDDEN[name]
    assert not found


def test_a_model_in_use_imports_no_more_than_it_needs():
    found = modules_after("import svfap.use.predictor, svfap.use.share, svfap.use.official")
    assert "torch" in found
    assert not found & LOADED


def test_a_training_step_imports_no_compiler():
    """`torch.optim` imports it when an optimiser is made; a step must not."""
    code = """
from helpers.tiny_trainer import make_stepper, random_batch
from svfap.config import FinetuneConfig, ModelConfig
from svfap.models import VideoModel
from svfap.training.objectives import Classification
config = ModelConfig(image_size=32, patch_size=8, num_frames=8, dim=24, heads=2, depths=(1, 2, 2))
stepper = make_stepper(Classification(VideoModel(config, 2, 0.1), FinetuneConfig()))
stepper.step([random_batch()], 1e-3)
stepper.load_state_dict(stepper.state_dict())
"""
    assert not modules_after(code) & TIMM


WRONG = {
    **{name: ("--wrong", "flag") for name in MODULES},
    "predict --help": ("predict", "--help"),
    "predict without a model": ("predict", "x.mp4"),
    "predict a missing video": ("predict", "no.mp4", "--checkpoint", "m.pt", "--output", "out"),
    "predict with a missing model": ("predict", ".", "--checkpoint", "no.pt", "--output", "out"),
    "finetune --help": ("finetune", "--help"),
    "convert a missing file": ("convert", "no.pth", "out.pt"),
    "evaluate a missing model": (
        *("evaluate", "--config", "{}", "--model", "no.pt", "--shards", "no.parquet"),
        *("--output", "out.parquet"),
    ),
    "pretrain with a wrong key": (
        *("pretrain", "--config", json.dumps({"no": 1}), "--shards", "no", "--output", "out.pt"),
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_argument_is_reported_before_torch_loads(case, tmp_path):
    """Under 1 s of CPU time on an idle machine; the bound leaves room for a busy one."""
    words = WRONG[case] if " " in case else (case, *WRONG[case])
    code = (
        "import runpy, sys\n"
        f"sys.argv = {['svfap', *words]!r}\n"
        "try:\n    runpy.run_module('svfap', run_name='__main__')\n"
        "finally:\n    assert 'torch' not in sys.modules, 'torch'"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == (0 if "--help" in words else 2), done.stderr
    assert "Traceback" not in done.stderr
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert spent < 2.5
