"""The built wheel in fresh environments, by plain pip: no lock, no uv."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.random_checkpoints import CLASSES, write_checkpoint

import svfap
from svfap.doctor.installation import BUILDS
from svfap.errors import EXTRA_OF

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(3600)]
ROOT = Path(__file__).parents[2]
CLIPS = ROOT / "tests" / "data" / "crema_d"  # real clips of 2 to 3 s
VERSIONS = ("3.11", "3.12", "3.13")
FACTS = """
import importlib.metadata, importlib.util, json, sys
import cv2
print(json.dumps({
    "packages": [d.name for d in importlib.metadata.distributions()],
    "cv2": cv2.__version__,
    "extras": [name for name in sys.argv[1:] if importlib.util.find_spec(name)],
}))
"""


def run(*command, cwd=None, status=0):
    """Run a program as a user does, without the settings of the tests; return its result."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "MLFLOW"))}
    done = subprocess.run(
        [*map(str, command)], cwd=cwd, env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == status, f"{command}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done


def interpreter(version: str) -> str:
    """Return a Python of a version that starts; skip the test if this machine has none."""
    pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    for candidate in [shutil.which(f"python{version}"), *pyenv]:
        if candidate and not subprocess.run([candidate, "-c", ""], check=False).returncode:
            return str(candidate)
    pytest.skip(f"no Python {version} here")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.mark.parametrize("version", VERSIONS)
def test_a_user_of_plain_pip_gets_what_is_tested(version, wheel, tmp_path, toy_model):
    run(interpreter(version), "-m", "venv", "venv", cwd=tmp_path)
    python, command = (tmp_path / "venv" / "bin" / name for name in ("python", "svfap"))
    run(python, "-m", "pip", "install", "--quiet", wheel)
    run(python, "-m", "pip", "check")
    facts = json.loads(run(python, "-c", FACTS, *EXTRA_OF).stdout)
    assert [name for name in facts["packages"] if name in BUILDS] == ["opencv-python-headless"]
    assert facts["cv2"].startswith("4.")
    assert not facts["extras"]

    assert run(command, "--version").stdout == f"svfap {svfap.__version__}\n"
    assert run(command, "predict", "--help").stdout.startswith("usage: svfap predict ")
    video = CLIPS / "1001_DFA_ANG_XX.flv"
    model = write_checkpoint(tmp_path / "m.pt", toy_model)
    run(command, "predict", video, "--checkpoint", model, "--output", "out", cwd=tmp_path)
    theirs, ours = pd.read_csv(tmp_path / "out" / "timeline.csv"), svfap.load(model).predict(video)
    np.testing.assert_allclose(theirs[[*CLASSES]], ours[[*CLASSES]], atol=1e-3)
    run(command, "export", model, "shared", cwd=tmp_path)

    found = run(command, "doctor", cwd=tmp_path).stdout
    assert not re.search("make (setup|mlflow)", found)
    assert re.search(r"^ok +OpenCV +4\.", found, re.MULTILINE)
    assert "pip install 'svfap[" in found
    missing = run(command, "sync-tracking", ".", cwd=tmp_path, status=2)
    assert missing.stderr.endswith("needs mlflow; run: pip install 'svfap[pipeline]'\n")
