"""The GPU benchmark: its rehearsal on a CPU, its table, and parts that fail or hang."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.gpu import results, table
from benchmarks.gpu.parts import PARTS, run_part
from benchmarks.gpu.setting import Setting
from benchmarks.reference import THEIRS

ROOT = Path(__file__).parent.parent


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    return Setting(tmp_path, tmp_path / "work", None, True)


@pytest.mark.slow
@pytest.mark.long  # .ci/run calls the same rehearsal
def test_the_whole_benchmark_can_be_rehearsed_on_a_cpu(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.gpu", "--cpu", "--tiny", "--out", str(tmp_path)]
    subprocess.run([*command, "--minutes", "9"], cwd=ROOT, check=True, capture_output=True)
    found = json.loads((tmp_path / "results.json").read_text())
    assert [*found["parts"]] == [*PARTS]
    assert all(part["error"] is None and part["rows"] for part in found["parts"].values())
    checks = [row for part in PARTS for row in results.rows(found, part) if "passed" in row]
    assert len(checks) == 12
    assert all(row["passed"] for row in checks)
    # A CPU adds in the same order every time, so nothing may differ.
    assert all(row["equal"] for row in results.rows(found, "resume"))
    steps = results.rows(found, "steps")
    assert len(steps) == 18
    assert all(row["clips_per_second"] > 0 for row in steps)
    assert (tmp_path / "table.md").read_text() == table.markdown(found)


def measured(row_speed: float) -> dict[str, object]:
    """Return results as from a GPU whose real training reaches a number of clips per second."""
    steps = [
        {"task": "pretrain", "name": THEIRS, "batch": 256, "clips_per_second": 1000.0},
        {"task": "pretrain", "name": "ours, compiled", "batch": 256, "clips_per_second": 2600.0,
         "share_of_peak": 0.46},
    ]  # fmt: skip
    training = [{"clips_per_second": row_speed, "data_share": 0.01}]
    parts = {name: {"rows": [], "error": None} for name in PARTS}
    parts["steps"]["rows"], parts["training"]["rows"] = steps, training
    return {"machine": {"cpus": 16}, "parts": parts}


def verdicts(text: str) -> list[str]:
    return [line.split("|")[-2].strip() for line in text.splitlines()[4:9]]


def test_the_table_says_which_targets_are_met() -> None:
    assert verdicts(table.markdown(measured(2600.0))) == ["met"] * 4 + ["not measured"]
    # 100 epochs of 1,092,009 clips in 12 hours are 2,528 clips per second.
    slow = table.markdown(measured(2500.0))
    assert verdicts(slow)[3] == "**not met**"
    assert "| 12.1 |" in slow


def test_the_table_of_a_run_that_was_cut_off_says_what_is_missing() -> None:
    assert verdicts(table.markdown({"machine": {"cpus": 2}, "parts": {}})) == ["not measured"] * 5


def _fails(_: Setting) -> object:
    yield {"rate": 1.0}
    raise ValueError("broken kernel")


def _hangs(_: Setting) -> object:
    yield {"rate": 2.0}
    time.sleep(600)


def test_a_part_that_fails_or_hangs_keeps_its_rows_and_stops_nothing_else(setting) -> None:
    assert run_part(setting, "fails", _fails, seconds=60) == "ended with exit code 1"
    assert run_part(setting, "hangs", _hangs, seconds=3) == "stopped after 3 s"
    found = results.read(setting.out)
    assert results.rows(found, "fails") == [{"rate": 1.0}]
    assert results.rows(found, "hangs") == [{"rate": 2.0}]
    assert "broken kernel" in (setting.out / "log.txt").read_text()
    assert "stopped after 3 s" in table.markdown(found)


def test_a_bad_option_is_explained_in_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.gpu", "--out", str(tmp_path / "out")]
    command += ["--reference", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("give a checkout of the authors' repository")
    assert not (tmp_path / "out").exists()
