"""The guides of CONTRIBUTING.md, followed literally in a scratch copy of the repository."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("## Guides\n")[1]
GUIDES = dict(re.findall(r"^### (.+?)\n(.+?)(?=^### |\Z)", TEXT, flags=re.MULTILINE | re.DOTALL))
BLOCK = re.compile(r"^```(\w+) ?(\S*)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
SHORTENED = " ..."


@pytest.fixture
def copy(tmp_path):
    """The tracked files of the repository, and those that git would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in names.splitlines():
        if (ROOT / name).exists():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tmp_path / name)
    return tmp_path


def same(wanted: str, line: str) -> bool:
    """Whether a line of a file is the one that a guide shows, perhaps shortened."""
    if wanted.endswith(SHORTENED):
        return line.startswith(wanted.removesuffix(SHORTENED))
    return line == wanted


def edit(path: Path, diff: str) -> None:
    """Apply a guide's edit at the one place of the file that it fits."""
    lines, changes = path.read_text(encoding="utf-8").splitlines(), diff.splitlines()
    before = [change[1:] for change in changes if not change.startswith("+")]
    fits = [
        place
        for place in range(len(lines) - len(before) + 1)
        if all(map(same, before, lines[place : place + len(before)]))
    ]
    assert len(fits) == 1, f"{path.name}: fits at {len(fits)} places:\n{diff}"
    old = iter(lines[fits[0] : fits[0] + len(before)])
    new = []
    for change in changes:
        if change.startswith("+"):
            new.append(change[1:])
        elif change.startswith("-"):
            next(old)
        else:
            new.append(next(old))
    lines[fits[0] : fits[0] + len(before)] = new
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def run(commands: str, folder: Path) -> None:
    """Run the commands of a guide, each of which must succeed."""
    programs = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    paths = os.pathsep.join((str(folder), str(folder / "tests")))
    environment = os.environ | {"PATH": programs, "PYTHONPATH": paths}
    for command in commands.splitlines():
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def follow(guide: str, folder: Path, *, commands: bool = True) -> None:
    """Write the files, make the edits and run the commands of a guide in a folder."""
    for kind, name, content in BLOCK.findall(guide):
        path = folder / name
        if kind == "sh":
            run(content if commands else "", folder)
        elif kind == "diff":
            edit(path, content)
        else:
            assert name, f"a block of {kind} without a path"
            assert not path.exists(), f"{name} exists already"
            path.write_text(content, encoding="utf-8")


def test_there_is_a_guide_for_every_extension():
    things = ("dataset", "loss", "encoder", "detector", "augmentation", "stage")
    assert {*GUIDES} == {f"Add a{'n' * (thing[0] in 'ae')} {thing}" for thing in things}
    assert all(
        block[1] or block[0] == "sh" for guide in GUIDES.values() for block in BLOCK.findall(guide)
    )


def test_an_edit_must_fit_at_one_place(tmp_path):
    path = tmp_path / "file.py"
    path.write_text("a = 1\nb = f(2, 3)\nb = 4\n")
    edit(path, "+first = 0\n a = 1\n-b = f( ...\n+b = 5\n")
    assert path.read_text() == "first = 0\na = 1\nb = f(2, 3)\nb = 4\n".replace(
        "b = f(2, 3)", "b = 5"
    )
    with pytest.raises(AssertionError, match="fits at 0 places"):
        edit(path, " c = 1\n")


@pytest.mark.slow
@pytest.mark.parametrize("title", GUIDES)
def test_a_guide_works_when_it_is_followed_literally(title, copy):
    follow(GUIDES[title], copy)


@pytest.mark.slow
def test_all_guides_together_pass_the_checks(copy):
    for guide in GUIDES.values():
        follow(guide, copy, commands=False)
    if (ROOT / ".mypy_cache").is_dir():  # of `make lint`; saves a minute
        shutil.copytree(ROOT / ".mypy_cache", copy / ".mypy_cache")
    run("ruff check .\nruff format --check .\nsnakefmt --check Snakefile workflow", copy)
    run("PYTHONPATH= mypy", copy)  # with tests/ on the path, mypy finds tests/datasets
