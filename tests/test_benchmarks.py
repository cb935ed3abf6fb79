"""Benchmarks run and write what they promise."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.reference import finetune_model, pretrain_model
from svfap.config import ModelConfig
from svfap.models import Autoencoder, VideoModel
from svfap.models.masking import tube_sites

ROOT = Path(__file__).parent.parent
TINY = {
    "image_size": 32, "patch_size": 8, "num_frames": 8, "dim": 24, "heads": 2,
    "depths": [1, 2, 2], "bottleneck_tokens": 2, "decoder_dim": 16, "decoder_heads": 2,
    "decoder_depth": 1,
}  # fmt: skip


@pytest.mark.slow
def test_cropping_beats_a_search_of_every_frame(tmp_path: Path) -> None:
    path = tmp_path / "crop.json"
    command = [sys.executable, "-m", "benchmarks.crop", "--rounds", "1", "--json", str(path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    result = json.loads(path.read_text())
    headline = result["headline"]
    assert {*headline} == {"name", "value", "unit", "baseline", "ratio"}
    assert headline["ratio"] == pytest.approx(headline["baseline"] / headline["value"])
    assert headline["ratio"] > 3
    ours, fixed, floor, every_frame, theirs, *parts, published = result["rows"]
    assert fixed["ratio"] > ours["ratio"] > every_frame["ratio"] > theirs["ratio"] == 1
    assert floor["times_floor"] == 1 < fixed["times_floor"] < ours["times_floor"] < 4
    assert all({"decode", "detect", "cut", "encode"} <= {*row} for row in parts)
    assert ours["centre_error_percent"] < 2.5
    assert published["times_floor"] > 1
    assert result["machine"]["cpus"] > 0


@pytest.mark.long
def test_the_whole_chain_is_measured_part_by_part(tmp_path: Path) -> None:
    path = tmp_path / "end_to_end.json"
    command = [sys.executable, "-m", "benchmarks.end_to_end", "--json", str(path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    result = json.loads(path.read_text())
    headline = result["headline"]
    assert headline["ratio"] == pytest.approx(headline["value"] / headline["baseline"])
    ours, usual = result["rows"]
    for row in (ours, usual):
        parts = sum(value for key, value in row.items() if key.endswith("_cpu_s"))
        assert parts == pytest.approx(row["cpu_s"], rel=0.1)
    assert ours["crop_cpu_s"] < usual["crop_cpu_s"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "rows"), [("train_step", 5), pytest.param("inference", 2, id="inference")]
)
def test_models_are_compared_with_plain_ones(tmp_path: Path, name: str, rows: int) -> None:
    """That it runs: how fast a tiny model is tells nothing."""
    path = tmp_path / "result.json"
    options = ["--full", "--rounds", "1", "--model", json.dumps(TINY), "--json", str(path)]
    command = [sys.executable, "-m", f"benchmarks.{name}", *options]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    result = json.loads(path.read_text())
    assert {*result["headline"]} == {"name", "value", "unit", "baseline", "ratio"}
    assert len(result["rows"]) == rows
    assert result["rows"][0]["ratio"] == 1


def test_plain_models_compute_what_ours_do() -> None:
    config = ModelConfig.model_validate(TINY)
    plain, ours = pretrain_model(config, None), Autoencoder(config)
    ours.load_state_dict(plain.state_dict())
    video, (_, masked) = torch.rand(2, 3, 8, 32, 32), tube_sites(torch.rand(2, 16), 4, 0.75)
    mask = torch.zeros(2, 4, 16, dtype=torch.bool).scatter(2, masked, True).flatten(1)
    torch.testing.assert_close(plain(video, mask), ours.predict(video, mask))
    plain, whole = finetune_model(config, 3, None), VideoModel(config, 3)
    whole.load_state_dict(plain.state_dict())
    torch.testing.assert_close(plain(video), whole(video))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="decord, the baseline, has no wheels elsewhere")
def test_clips_are_loaded_faster_than_the_authors_way(tmp_path: Path) -> None:
    path = tmp_path / "loader.json"
    command = [sys.executable, "-m", "benchmarks.loader", "--rounds", "1", "--json", str(path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    result = json.loads(path.read_text())
    speed = {row["name"]: row["clips_per_cpu_second"] for row in result["rows"]}
    assert result["headline"]["ratio"] == pytest.approx(speed["raw shards"] / speed["authors' way"])
    assert speed["raw shards"] > speed["jpeg shards"] > 4 * speed["authors' way"]
