"""Benchmarks run and write what they promise."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


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
    ours, every_frame, theirs = result["rows"]
    assert ours["ratio"] > every_frame["ratio"] > theirs["ratio"] == 1
    assert ours["centre_error_percent"] < 2.5
    assert result["machine"]["cpus"] > 0


@pytest.mark.slow
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
