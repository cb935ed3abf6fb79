"""The conda environments: they hold what the stages import, and the workflow runs in them."""

import ast
import os
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from helpers import conda_channel
from helpers.toy_project import CONFIG, ROOT, write_project

NOT_IN_RULES = {  # only users run these
    "svfap.commands.datasets",
    "svfap.faces.detectors.fan",
    "svfap.faces.detectors.s3fd",
    "svfap.faces.detectors.weights",
    "svfap.models.registry",
    "svfap.use.loading",
    "svfap.use.options",
    "svfap.use.predictor",
}


def stages_of(environment: str) -> list[str]:
    """Stages whose rules name an environment."""
    rules = "".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    found = re.findall(r"^rule (\w+):(?:(?!^rule ).)*?envs/(\w+)\.yaml", rules, re.M | re.S)
    return [rule for rule, name in found if name == environment]


def path_of(module: str) -> Path | None:
    """The file of a module of the package."""
    path = ROOT / module.replace(".", "/")
    files = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in files if file.is_file()), None)


def imported(module: str) -> set[str]:
    """Names that a module imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path_of(module).read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def third_party(modules: list[str]) -> set[str]:
    """Packages that modules import, directly or through other modules of this package."""
    seen, left = {*NOT_IN_RULES}, [*modules]
    found: set[str] = set()
    while left:
        module = left.pop()
        if module in seen:
            continue
        seen.add(module)
        for name in imported(module):
            if name.startswith("svfap"):
                left += [name] if path_of(name) else []
            elif name.split(".")[0] not in {*sys.stdlib_module_names, "_typeshed"}:
                found.add(name.split(".")[0])
    return found


def distributions(package: str) -> set[str]:
    """Names under which a package may be installed."""
    return {name.lower().replace("_", "-") for name in packages_distributions()[package]}


@pytest.mark.parametrize("environment", ["data", "train"])
def test_an_environment_holds_what_its_stages_import(environment):
    wanted = yaml.safe_load((ROOT / f"envs/{environment}.yaml").read_text())["dependencies"]
    (pip,) = (entry["pip"] for entry in wanted if isinstance(entry, dict))
    stages = stages_of(environment)
    assert len(stages) > 3
    modules = [
        "svfap.__main__",
        "svfap.tracking.mlflow_writer",
        *(f"svfap.stages.{k}" for k in stages),
    ]
    if environment == "train":
        modules.append("svfap.launch")
    held = {line.partition("==")[0] for line in pip}
    lacking = {name for name in third_party(modules) if not held & distributions(name)}
    assert not lacking


@pytest.mark.slow
@pytest.mark.conda
def test_the_workflow_runs_in_conda_environments(tmp_path, toy_videos):
    """With the `conda` of `helpers/conda_channel.py`: tests Snakemake's part and `envs`."""
    conda_channel.make(tmp_path / "channels")
    project = tmp_path / "project"
    project.mkdir()
    write_project(project, toy_videos)
    (project / "toy.yaml").write_text(yaml.safe_dump(CONFIG))
    environment = os.environ | {
        "PATH": f"{tmp_path / 'channels/bin'}{os.pathsep}{os.environ['PATH']}",
        "SVFAP_TEST_CHANNELS": str(tmp_path / "channels"),
        "MLFLOW_TRACKING_URI": "off",
    }
    done = subprocess.run(
        [
            *(str(Path(sys.executable).parent / "snakemake"), "--use-conda", "--cores", "2"),
            *("--snakefile", str(ROOT / "Snakefile"), "--directory", str(project)),
            *("--configfile", str(project / "toy.yaml"), "--until", "shard", "cost"),
        ],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-5000:]
    made = [*(project / ".snakemake/conda").glob("*/bin/python")]
    assert len(made) == 2
    assert done.stderr.count("Activating conda environment") >= 11
    assert (project / "data/shards/toy/fold1/index.parquet").is_file()
    assert (project / "results/tables/costs.csv").is_file()
