"""The repository: environments, versions and checks agree, files keep their budgets."""

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from svfap import __version__

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "svfap").rglob("*.py"))
HOSTS = ("pypi", "pythonhosted", "npmjs")


def locked() -> dict[str, str]:
    """Package -> version in requirements.lock, for Python 3.11."""
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    found = {}
    for line in lines:
        match = re.match(r"([a-z0-9-]+)==(\S+)(.*)", line)
        if match and "'3.12'" not in match[3].replace("< '3.12'", ""):
            found[match[1]] = match[2]
    return found


@pytest.mark.parametrize("name", ["data", "train"])
def test_conda_environments_pin_what_the_lock_pins(name):
    environment = yaml.safe_load((ROOT / "envs" / f"{name}.yaml").read_text())
    (pip,) = (entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    pinned = dict(line.split("==") for line in pip)
    assert pinned
    assert pinned == {package: locked()[package] for package in pinned}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_budgets(path):
    text = path.read_text()
    assert text.count("\n") <= 250
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < 50, node.name
            given = [
                a for a in node.args.args + node.args.kwonlyargs if a.arg not in {"self", "cls"}
            ]
            assert len(given) <= 7, node.name


def test_rules_are_short():
    for path in (ROOT / "workflow" / "rules").glob("*.smk"):
        for rule in re.split(r"^rule ", path.read_text(), flags=re.MULTILINE)[1:]:
            assert len(rule.strip().splitlines()) <= 25, rule.splitlines()[0]


def test_no_registry_and_no_machine_path_is_committed():
    files = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\n")
    for name in filter(None, files):
        text = (ROOT / name).read_bytes().decode(errors="ignore")
        if name != "tests/test_repository.py":
            assert not any(f"{host}.org" in text for host in HOSTS), name
            assert str(ROOT) not in text, name


def test_pre_commit_runs_what_make_lint_runs():
    recipe = (ROOT / "Makefile").read_text().split("\nlint:")[1].split("\n\n")[0].splitlines()[1:]
    commands = [line.strip().replace("$(BIN)", ".venv/bin") for line in recipe]
    settings = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    hooks = [hook for repository in settings["repos"] for hook in repository["hooks"]]
    assert [hook["entry"] for hook in hooks] == commands
    for hook in hooks:
        assert hook["language"] == "system"
        assert hook["always_run"]
        assert not hook["pass_filenames"]


def test_all_places_name_one_version_and_licence():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert project["version"] == citation["version"] == __version__
    assert project["license"] == citation["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")
    changes = (ROOT / "CHANGELOG.md").read_text()
    versions = re.findall(r"^## \[(.+?)\](?: - (\S+))?$", changes, flags=re.MULTILINE)
    assert versions[0] == ("Unreleased", "")
    assert versions[1] == (__version__, citation["date-released"])


def test_every_file_of_the_tour_exists():
    section = (ROOT / "CONTRIBUTING.md").read_text().split("## Files")[1].split("```")[1]
    names = re.findall(r"(?:^|  )([\w./]+(?:\.py|\.yaml|/))(?=[, ])", section, flags=re.MULTILINE)
    assert len(names) > 20
    for name in names:
        assert (ROOT / name).exists() or (ROOT / "svfap" / name).exists(), name
