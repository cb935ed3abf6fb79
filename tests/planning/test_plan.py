"""The plan of an experiment: its arithmetic, a recorded real run, and what users get wrong."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from svfap.commands import plan
from svfap.config import ModelConfig
from svfap.demo.videos import render_video
from svfap.errors import SvfapError
from svfap.experiment import resolve
from svfap.models import cost
from svfap.planning import multiply_adds, rates
from svfap.planning.estimate import estimate, stages
from svfap.planning.job import Job
from svfap.planning.machines import Machine, preset, presets
from svfap.planning.workload import Workload, workload

ROOT = Path(__file__).parents[2]
DEMO, PAPER = ROOT / "config" / "config.yaml", ROOT / "config" / "paper.yaml"
CLIPS, EPOCHS = 1_092_009, 100


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """No data of an earlier run are counted."""
    monkeypatch.chdir(tmp_path)


def planned(*options, config=PAPER):
    return json.loads(plan.run(["--configfile", str(config), "--json", *options]))


@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param({}, id="SVFAP-B"),
        pytest.param({"dim": 384, "heads": 6, "depths": (8, 4, 2)}, id="SVFAP-S"),
        pytest.param({"bottleneck": False, "depths": (12, 8, 4)}, id="pyramid alone"),
        pytest.param({"pyramid": "none"}, id="bottleneck alone"),
        pytest.param({"pyramid": "none", "bottleneck": False}, id="plain"),
        pytest.param({"pyramid": "max"}, id="pooling"),
    ],
)
def test_formulas_agree_with_the_count(sizes):
    config = ModelConfig(**sizes)
    tuned, learnt = multiply_adds.finetune(config, 7), multiply_adds.pretrain(config, 0.9)
    assert (tuned.parameters, tuned.multiply_adds) == cost.finetune_cost(config, 7)
    assert (learnt.parameters, learnt.multiply_adds) == cost.pretrain_cost(config, 0.9)


def test_the_paper_on_an_h100():
    plan = planned("--machine", "h100", "--workers", "15")
    pretrain = plan["stages"]["pretrain"]
    assert pretrain["clips"] == CLIPS * EPOCHS
    assert pretrain["flop"] == pytest.approx(8.4e18, rel=0.02)
    pace = pretrain["clips_per_second"]
    assert pace["model"] == pytest.approx(0.4 * 989.4e12 * CLIPS * EPOCHS / pretrain["flop"])
    slower = min(pace["model"], pace["loaders"])
    assert pretrain["seconds"] == pytest.approx(CLIPS * EPOCHS / slower, rel=0.01)
    assert pretrain["limit"] == ("steps" if slower == pace["model"] else "loading")
    assert plan["stages"]["crop"]["jobs"] == plan["stages"]["shard"]["jobs"] > 64
    assert plan["stages"]["finetune"]["jobs"] == plan["stages"]["evaluate"]["jobs"] == 35
    assert plan["seconds"] == pytest.approx(sum(s["seconds"] for s in plan["stages"].values()))


def test_loading_in_the_training_process_takes_turns_with_the_steps():
    alone, helped = (
        planned("--machine", "h100", "--workers", count)["stages"]["pretrain"] for count in "01"
    )
    pace = alone["clips_per_second"]
    each = 1 / pace["model"] + 1 / pace["loaders"]
    assert alone["seconds"] == pytest.approx(CLIPS * EPOCHS * each, rel=0.01)
    assert helped["seconds"] < alone["seconds"]


def test_a_shared_copy_is_fetched_once():
    config = yaml.safe_load(PAPER.read_text())
    work = workload(resolve.resolve(config, where="paper"), jpeg_bytes=0.2)
    arousal, valence = (j for j in work.of("download") if "AVCAffe" in j.place)
    assert arousal.fetched > 0
    assert valence.fetched == 0


def test_more_gpus_take_less_time():
    one, eight = (planned("--machine", name, "--workers", "14") for name in ("h100", "h100x8"))
    assert one["stages"]["finetune"]["seconds"] > 4 * eight["stages"]["finetune"]["seconds"]


def test_as_many_jobs_run_at_once_as_there_are_cpus():
    work = Workload(tuple(Job("crop", f"crop/{n}", {"start": 1}) for n in range(5)), {})
    known = rates.read(rates.SHIPPED)
    (crop,) = stages(work, Machine("two", 1, 2, 0, 0, 100, ""), known, share=1)
    assert crop.seconds == pytest.approx(3 * known.seconds["start"])
    assert crop.cpu == pytest.approx(5 * known.seconds["start"])


def test_the_recorded_demo_run_is_met_within_thirty_per_cent():
    """CPU seconds by the records of a demo run, and rates calibrated on the same machine."""
    work = workload(resolve.resolve(yaml.safe_load(DEMO.read_text()), where="demo"), jpeg_bytes=0.2)
    known = rates.read(ROOT / "tests" / "demo_rates.json")
    machine = Machine("recorded", 1, 2, 0, 0, 100, "")
    run = json.loads((ROOT / "tests" / "demo_run.json").read_text())
    sums = {"measured": 0.0, "planned": 0.0}
    for stage, measured in run.items():
        found = {j.place: estimate(j, machine, known, share=1).cpu for j in work.of(stage)}
        ours = sum(found[place] for place in measured)
        assert ours == pytest.approx(sum(measured.values()), rel=0.3), stage
        sums["measured"] += sum(measured.values())
        sums["planned"] += ours
    assert sums["planned"] == pytest.approx(sums["measured"], rel=0.2)


def test_a_measured_run_corrects_the_rates(tmp_path):
    path = tmp_path / "results" / "pretrain" / "run.jsonl"
    path.parent.mkdir(parents=True)
    attempt = [
        {"event": "start", "stage": "pretrain", "params": {}, "id": "a"},
        {"event": "metrics", "metrics": {"cpu_seconds": 500.0}, "step": 0},
        {"event": "end", "status": "KILLED"},
    ]
    path.write_text("".join(json.dumps(event) + "\n" for event in attempt * 2))
    plan = planned("--cpus", "2", "--results", "results", config=DEMO)
    stage = plan["stages"]["pretrain"]
    assert stage["measured_cpu_seconds"] == pytest.approx(stage["cpu_seconds"]) == 1000
    assert stage["planned_for_them"] < 1000


def test_own_videos_are_counted_and_opened(tmp_path):
    lines = ["path,label,subject"]
    for number, label in enumerate(("happy", "sad", "happy", "sad")):
        render_video(tmp_path / f"{number}.mp4", number, label)
        lines.append(f"{number}.mp4,{label},s{number}")
    (tmp_path / "mine.csv").write_text("\n".join(lines))
    config = {
        "datasets": {"mine": {"csv": "mine.csv", "folds": 2}}, "finetune": {"init": "scratch"}
    }  # fmt: skip
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(config))
    plan = planned("--cpus", "2", config=tmp_path / "mine.yaml")
    assert "pretrain" not in plan["stages"]
    assert plan["stages"]["evaluate"]["clips"] == 4 * 2
    size = sum(path.stat().st_size for path in tmp_path.glob("*.mp4"))
    assert plan["stages"]["download"]["disk_bytes"] == pytest.approx(size)
    assert plan["stages"]["download"]["network_bytes"] == 0
    assert any("4 here, 4 opened" in line for line in plan["assumptions"])


def test_the_table_names_units_bottleneck_and_assumptions():
    text = plan.run(["--configfile", str(PAPER), "--machine", "h100x8"])
    header = next(line for line in text.splitlines() if line.startswith("stage"))
    for column in ("jobs", "time", "CPU hours", "GPU hours", "disk", "network", "limit"):
        assert column in header
    for part in ("Bottleneck: ", "Assumptions", "assumed", "989.4 TFLOP/s", "total", "clips/s"):
        assert part in text
    assert "measured" not in header


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--machine", "h10"], "did you mean 'h100'"),
        (["--gpus", "1"], "--gpu-tflops"),
        (["--cpus", "0"], "1 CPU"),
        (["--gpu-share", "40"], "--gpu-share"),
        (["--rates", "none.json"], "none.json: holds no rates"),
        (["--results", "nowhere"], "no job of this configuration was measured"),
        (["--configfile", "none.yaml"], "none.yaml: cannot be read"),
    ],
)
def test_mistakes_are_explained(options, message):
    with pytest.raises(SvfapError, match=message) as caught:
        plan.run(["--configfile", str(PAPER), *options])
    assert "\n" not in str(caught.value)


def test_rates_come_back_and_a_loader_benchmark_changes_them(tmp_path):
    known = rates.read(rates.SHIPPED)
    rates.write(tmp_path / "rates.json", known)
    assert rates.read(tmp_path / "rates.json") == known
    headline = {"value": 500.0, "unit": "clips per CPU second"}
    (tmp_path / "loader.json").write_text(json.dumps({"headline": headline}))
    changed = rates.read(tmp_path / "loader.json", base=known)
    assert changed.seconds["load pretrain"] * 16 * 500 == pytest.approx(1)
    headline["unit"] = "ms/frame"
    (tmp_path / "crop.json").write_text(json.dumps({"headline": headline}))
    with pytest.raises(SvfapError, match="tells no rate"):
        rates.read(tmp_path / "crop.json")


def test_presets_have_sources():
    for name, machine in presets().items():
        assert machine == preset(name)
        assert machine.source
        assert (machine.tflops > 0) == (machine.gpus > 0)


def test_the_command_line(tmp_path):
    command_line = [sys.executable, "-m", "svfap", "plan", "--configfile", str(PAPER)]
    done = subprocess.run(
        [*command_line, "--machine", "h1000"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("svfap plan: error: --machine: unknown 'h1000'")
