"""The image: its recipe is clean, is built from files that exist, and rules can run in it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.toy_project import ROOT

RECIPE = ROOT / "envs" / "container" / "Dockerfile"
PROGRAMS = Path(sys.executable).parent


@pytest.mark.skipif(
    not (PROGRAMS / "hadolint").exists(),
    reason="no hadolint in this environment: it has wheels for few machines",
)
def test_the_recipe_passes_the_linter():
    program = str(PROGRAMS / "hadolint")
    done = subprocess.run([program, str(RECIPE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_what_the_recipe_copies_exists_and_travels_to_the_builder():
    lines = re.findall(r"^COPY (?!--from)(.+) \S+$", RECIPE.read_text(), flags=re.MULTILINE)
    copied = [path for line in lines for path in line.split()]
    assert len(copied) > 8
    sent = (ROOT / ".dockerignore").read_text().splitlines()
    for path in copied:
        assert (ROOT / path).exists(), path
        assert f"!{path.split('/')[0]}" in sent, path


def test_the_scripts_are_bash_that_parses_and_stops_at_errors():
    for name in ("build", "install"):
        script = RECIPE.with_name(name)
        assert os.access(script, os.X_OK), name
        assert "set -euo pipefail" in script.read_text()
        subprocess.run(["bash", "-n", str(script)], check=True)


def test_without_a_builder_one_line_says_what_to_install(tmp_path):
    for name in ("bash", "dirname", "mktemp", "rm"):
        path = next(p / name for p in map(Path, os.defpath.split(":")) if (p / name).exists())
        (tmp_path / name).symlink_to(path)
    done = subprocess.run(
        [str(tmp_path / "bash"), str(RECIPE.with_name("build"))],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "envs/container/build: no builder works here; install podman, docker or buildah"
    ]


def test_every_rule_runs_in_the_configured_image(tmp_path):
    """With a program that stands for Apptainer, notes its arguments and runs the command."""
    (tmp_path / "bin").mkdir()
    apptainer = tmp_path / "bin" / "apptainer"
    apptainer.write_text(
        '#!/bin/bash\nif [ "$1" = --version ]; then echo apptainer version 1.3.0; exit; fi\n'
        f'echo "$@" >> {tmp_path}/calls\nwhile [ "$1" != -c ]; do shift; done\nexec bash -c "$2"\n'
    )
    apptainer.chmod(0o755)
    image = tmp_path / "svfap.sif"
    image.touch()
    done = subprocess.run(
        [
            *(str(PROGRAMS / "snakemake"), "--sdm", "apptainer", "--cores", "1"),
            *("--snakefile", str(ROOT / "Snakefile"), "--directory", str(tmp_path)),
            *("--configfile", str(ROOT / ".test" / "config" / "config.yaml")),
            *("--config", f"machine={{workers: 0, threads: 1, image: {image}}}"),
            *("--until", "cost"),
        ],
        env=os.environ
        | {
            "PATH": f"{tmp_path}/bin{os.pathsep}{os.environ['PATH']}",
            "MLFLOW_TRACKING_URI": "off",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "results" / "tables" / "costs.csv").is_file()
    (call,) = (tmp_path / "calls").read_text().split("\napptainer")
    assert f" {image} " in call
    assert "svfap cost" in call
