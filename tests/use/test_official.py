"""`svfap convert`: the authors' files as checkpoints of this package."""

from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch

from svfap.__main__ import main
from svfap.training.checkpoint import Checkpoint, load_model
from svfap.training.objectives import normalise
from svfap.use import bundle

SIZES = ("--heads", "3", "--depths", "1", "3", "2", "--image-size", "32")


@pytest.fixture(scope="module")
def golden():
    with np.load(Path(__file__).parents[1] / "models" / "golden.npz") as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


def write_official(folder, golden, model, **changed):
    """Write a file as the authors' training scripts do."""
    prefix = f"{model}/"
    state = {k.removeprefix(prefix): v for k, v in golden.items() if k.startswith(prefix)} | changed
    path = folder / f"{model}.pth"
    torch.save({"model": state, "epoch": 99, "args": Namespace(lr=1e-3)}, path)
    return path


def convert(*arguments):
    return main(["convert", *map(str, arguments)])


def test_a_converted_finetuned_model_gives_the_authors_numbers(tmp_path, golden, capsys):
    """The authors' head of five classes, here of AVCAffe."""
    source, output = write_official(tmp_path, golden, "finetune"), tmp_path / "ours.pt"
    assert convert(source, output, "--dataset", "AVCAffe-arousal", *SIZES) == 0
    assert "predict VIDEO --checkpoint" in capsys.readouterr().out
    model, job = load_model(output)
    assert job.targets[0] == "Excited"
    with torch.no_grad():
        logits = model(normalise(golden["video"].float() / 255))
    torch.testing.assert_close(logits, golden["logits"], rtol=1e-5, atol=1e-5)
    assert bundle.load(output).facts.crop == {"preset": "openface"}


def test_a_pretrained_model_can_be_finetuned_from(tmp_path, golden, capsys):
    output = tmp_path / "ours.pt"
    assert convert(write_official(tmp_path, golden, "pretrain"), output, *SIZES) == 0
    assert "set pretrain.checkpoint to it" in capsys.readouterr().out
    job = Checkpoint.read(output).job
    assert job.model.decoder_depth == 2
    assert job.pretrain.datasets == ("VoxCeleb2",)
    assert bundle.load(output).facts.job.targets == ()


def test_mistakes_are_one_line(tmp_path, golden, capsys):
    source = write_official(tmp_path, golden, "finetune")
    torch.save({"weight": torch.zeros(1)}, tmp_path / "other.pth")
    cases = {
        ("finetune.pth", *SIZES): "fine-tuned, for 5 outputs; name its dataset",
        ("finetune.pth", "--dataset", "DFEW", *SIZES): "has 5 outputs, but DFEW has 7 (happy,",
        (
            "finetune.pth",
            "--dataset",
            "DFEW",
        ): "give the number of blocks of each stage, such",
        ("other.pth",): "no weights of the authors' SVFAP",
        ("gone.pth",): "cannot be read",
    }
    for (name, *options), message in cases.items():
        assert convert(tmp_path / name, tmp_path / "out.pt", *options) == 2
        error = capsys.readouterr().err.strip().splitlines()
        assert len(error) == 1
        assert message in error[0]
    (tmp_path / "out.pt").write_text("mine")
    assert convert(source, tmp_path / "out.pt", "--dataset", "DFEW") == 2
    assert "add --overwrite" in capsys.readouterr().err


def test_a_file_of_the_authors_must_be_converted_before_use(tmp_path, golden, capsys):
    source = write_official(tmp_path, golden, "finetune")
    call = ["predict", "x.mp4", "--checkpoint", str(source), "--output", str(tmp_path / "o")]
    (tmp_path / "x.mp4").touch()
    call[1] = str(tmp_path / "x.mp4")
    assert main(call) == 2
    assert "convert the authors' checkpoints with" in capsys.readouterr().err
