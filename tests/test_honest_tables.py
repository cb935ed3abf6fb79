"""Whatever input changes, the provenance line of tables changes; a lost input stops the run."""

import re
import shutil
from pathlib import Path

import pytest
import yaml
from helpers.random_checkpoints import write_pretrained
from helpers.toy_project import CONFIG, snakemake
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from svfap.config import ModelConfig

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(3600)]

LINE = re.compile(r"Made from predictions .*")
LIST, CHECKPOINT, CONFIGURATION = "my videos.csv", "own.pt", "toy.yaml"
KEYS = {  # key -> another value
    "seed": 1,
    "crop.margin": 0.4,
    "crop.quality": 80,
    "finetune.label_smoothing": 0.2,
    "finetune.optim.lr": 0.01,
    "finetune.views": 3,
}
CHANGES = st.sampled_from([*KEYS, "a label", "a video less", "a video's content", "checkpoint"])


@pytest.fixture(scope="module")
def project(tmp_path_factory, toy_videos) -> Path:
    """A finished project with a checkpoint and videos of its own."""
    folder = tmp_path_factory.mktemp("provenance") / "project"
    folder.mkdir()
    rows = ["path,label,subject"]
    for number, ((subject, label), path) in enumerate(toy_videos.items()):
        shutil.copy2(path, folder / f"{number}.mp4")
        rows.append(f"{number}.mp4,{label},s{subject}")
    (folder / LIST).write_text("\n".join(rows) + "\n")
    write_own_checkpoint(folder, seed=0)
    write_config(folder, {})
    run(folder)
    return folder


def write_config(folder: Path, changes: dict[str, object]) -> None:
    optim = CONFIG["finetune"]["optim"] | {"epochs": 1, "warmup_epochs": 0}
    config = {
        "datasets": {"toy": {"csv": LIST, "folds": 2}},
        "crop": dict(CONFIG["crop"]),
        "model": CONFIG["model"],
        "pretrain": {"checkpoint": CHECKPOINT},
        "finetune": {"rand_augment": "", "optim": optim},
    }
    for key, value in changes.items():
        *parents, last = key.split(".")
        section = config
        for parent in parents:
            section = section.setdefault(parent, {})
        section[last] = value
    (folder / CONFIGURATION).write_text(yaml.safe_dump(config))


def write_own_checkpoint(folder: Path, *, seed: int) -> None:
    write_pretrained(folder / CHECKPOINT, ModelConfig(**CONFIG["model"]), seed=seed)


def run(folder: Path) -> str:
    """Run the workflow; return the provenance line of the benchmark."""
    done = snakemake(folder, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    (line,) = LINE.findall((folder / "results/tables/benchmark.md").read_text())
    return line


def change(folder: Path, what: str) -> None:
    """Change a key, the list of videos, a video or the checkpoint."""
    path = folder / LIST
    header, first, *rows = path.read_text().splitlines()
    if what in KEYS:
        write_config(folder, {what: KEYS[what]})
    elif what == "checkpoint":
        write_own_checkpoint(folder, seed=1)
    elif what == "a video's content":
        other = rows[-1].split(",")[0]
        shutil.copyfile(folder / other, folder / first.split(",")[0])
        path.write_text("\n".join([header, first, *rows[:-1]]) + "\n")
    elif what == "a video less":
        path.write_text("\n".join([header, *rows]) + "\n")
    else:
        video, label, subject = first.split(",")
        labels = {row.split(",")[1] for row in rows} - {label}
        path.write_text("\n".join([header, f"{video},{min(labels)},{subject}", *rows]) + "\n")


@settings(max_examples=6, deadline=None, database=None, suppress_health_check=[*HealthCheck])
@given(what=CHANGES)
def test_a_change_of_any_input_changes_the_provenance_of_the_tables(project, what):
    copy = project.with_name("copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(project, copy, symlinks=True)
    before = LINE.search((copy / "results/tables/benchmark.md").read_text())
    change(copy, what)
    assert run(copy) != before[0], what


@pytest.mark.parametrize("name", [LIST, CHECKPOINT, CONFIGURATION])
def test_a_lost_input_stops_the_next_run_with_a_line_that_names_it(project, tmp_path, name):
    copy = tmp_path / "copy"
    shutil.copytree(project, copy, symlinks=True)
    (copy / name).unlink()
    done = snakemake(copy, check=False)
    assert done.returncode != 0
    assert name in done.stderr.strip().splitlines()[-1]
    if name != CONFIGURATION:  # Snakemake opens that itself, before it reads our rules
        assert "Traceback" not in done.stderr
