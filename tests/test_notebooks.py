"""The notebooks of the documentation run, on files that the tests have."""

import csv
import os
import sys
from pathlib import Path

import nbformat
import pytest
from helpers.random_checkpoints import CLASSES, write_checkpoint, write_pretrained
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent
NOTEBOOKS = ROOT / "docs" / "notebooks"


@pytest.fixture
def checkout(tmp_path, toy_model):
    """A folder that looks like a checkout after `make demo`, with models of random weights."""
    for name in ("Snakefile", "workflow", "profiles", "svfap", "config", "tests"):
        (tmp_path / name).symlink_to(ROOT / name)
    model = tmp_path / "results/finetune/demo/subjects1/checkpoint.pt"
    for path in (model, tmp_path / "results/pretrain/checkpoint.pt"):
        path.parent.mkdir(parents=True)
    write_checkpoint(model, toy_model)
    write_pretrained(tmp_path / "results/pretrain/checkpoint.pt", toy_model)
    return tmp_path


def run(name: str, folder: Path) -> str:
    """Run a notebook in a folder; return what its cells show as text."""
    book = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    NotebookClient(book, timeout=1200, resources={"metadata": {"path": str(folder)}}).execute()
    outputs = [output for cell in book.cells for output in cell.get("outputs", ())]
    shown = [each.get("data", {}).get("text/markdown", "") for each in outputs]
    return "\n".join([*shown, *(each.get("text", "") for each in outputs)])


@pytest.mark.slow
def test_a_folder_is_scored_and_plotted(checkout):
    run("score_a_folder", checkout)
    with (checkout / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len({row["video"] for row in rows}) == 6
    assert {*CLASSES} <= {*rows[0]}


@pytest.mark.slow
@pytest.mark.long
def test_a_probe_is_compared_with_training_from_scratch(checkout, toy_videos, monkeypatch):
    with (checkout / "my_videos.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label", "subject"])
        rows.writerows(
            [path, label, f"s{subject}"] for (subject, label), path in toy_videos.items()
        )
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "off")
    programs = str(Path(sys.executable).parent)
    monkeypatch.setenv("PATH", programs + os.pathsep + os.environ["PATH"])
    shown = run("train_on_my_labels", checkout)
    assert "| from scratch" in shown
    assert "| ours" in shown
    assert "chance gives 50.0" in shown
