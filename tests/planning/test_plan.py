"""The forecast of `svfap plan`: its arithmetic, a recorded run, and mistakes of users."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from helpers.shipped_configs import SHIPPED

from svfap.commands import plan
from svfap.commands.plan import SHARE
from svfap.config import ModelConfig
from svfap.demo.videos import render_video
from svfap.errors import SvfapError
from svfap.experiment import resolve
from svfap.models.cost import finetune_cost, pretrain_cost
from svfap.planning import rates, video_facts
from svfap.planning.estimate import Assumptions, estimate, forecast_stages
from svfap.planning.machines import Machine, choose_machine, presets
from svfap.planning.workload import Job, jobs_of

ROOT = Path(__file__).parents[2]
DEMO, PAPER = ROOT / "config" / "config.yaml", ROOT / "config" / "paper.yaml"
CLIPS, EPOCHS = 1_092_009, 100
TWO_CPUS = Assumptions(machine=Machine(name="two CPUs", cpus=2), rates=rates.read())


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    """Without the data of an earlier run."""
    monkeypatch.chdir(tmp_path)


def planned(*options, config=PAPER):
    return json.loads(plan.run(["--configfile", str(config), "--json", *options]))


def changed(path, config=DEMO, **sections):
    """A configuration with other keys, as a file."""
    values = yaml.safe_load(config.read_text())
    for name, keys in sections.items():
        values[name] = values.get(name, {}) | keys
    path.write_text(yaml.safe_dump(values))
    return path


def demo_jobs(config=DEMO):
    experiment = resolve.resolve(yaml.safe_load(config.read_text()), where="demo")
    return jobs_of(experiment, video_facts.of_all(experiment), jpeg_bytes=0.2)


def demo_videos():
    return video_facts.of_all(resolve.resolve(yaml.safe_load(DEMO.read_text()), where="demo"))


def record(output, stage, cpu_seconds, points=(), status="FINISHED"):
    """The events of an attempt, as a stage records them; points are (time, data_share)."""
    output.parent.mkdir(parents=True, exist_ok=True)
    metrics = [{"metrics": {"data_share": share}, "time": time} for time, share in points]
    metrics.append({"metrics": {"cpu_seconds": cpu_seconds}})
    events = [{"event": "start", "stage": stage, "params": {}, "id": "a"}]
    events += [{"event": "metrics", "step": 0, **event} for event in metrics]
    events.append({"event": "end", "status": status})
    with output.with_name("run.jsonl").open("a") as file:
        file.writelines(json.dumps(event) + "\n" for event in events)


def test_the_paper_on_an_h100():
    plan = planned("--machine", "h100", "--workers", "15")
    pretrain = plan["stages"]["pretrain"]
    assert pretrain["clips"] == CLIPS * EPOCHS
    assert pretrain["flop"] == pytest.approx(8.4e18, rel=0.02)
    pace = pretrain["clips_per_second"]
    assert pace["model"] == pytest.approx(SHARE * 989.4e12 * CLIPS * EPOCHS / pretrain["flop"])
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


def test_a_final_training_and_a_probe_are_counted(tmp_path):
    def finetuning(**keys):
        values = yaml.safe_load(DEMO.read_text())
        values["finetune"] |= keys
        del values["variants"]  # a probe from scratch is refused
        path = tmp_path / "changed.yaml"
        path.write_text(yaml.safe_dump(values))
        return [job for job in demo_jobs(path) if job.stage in ("finetune", "evaluate")]

    full, final, probe = finetuning(), finetuning(final=True), finetuning(tune="probe")
    assert len(final) == len(full) + 1
    last = next(job for job in final if job.output.parent.name == "final")
    assert last.clips > max(job.clips for job in full)  # all parts, not those of a fold
    # Every clip is encoded twice (`probe.views`), for all folds and their evaluation together.
    clips = sum(facts.total for name, facts in demo_videos().items() if name == "demo")
    assert sum(job.clips for job in probe) == pytest.approx(2 * clips)


def test_a_shared_copy_is_fetched_once():
    arousal, valence = (
        j for j in demo_jobs(PAPER) if j.stage == "download" and "AVCAffe" in str(j.output)
    )
    assert arousal.fetched > 0
    assert valence.fetched == 0


def test_a_download_that_is_done_is_not_counted(tmp_path):
    before = planned("--cpus", "2")["stages"]["download"]
    manifest = tmp_path / "data" / "raw" / "CREMA-D" / "manifest.csv"
    manifest.parent.mkdir(parents=True)
    manifest.write_text("key,path,part,subject,group,target\na,a.mp4,part1,s,a,0\n")
    plan = planned("--cpus", "2")
    assert plan["stages"]["download"]["jobs"] == before["jobs"] - 1
    assert 0 < plan["stages"]["download"]["network_bytes"] < before["network_bytes"]
    assert "Downloads that are done and not counted: CREMA-D." in plan["assumptions"]


def test_fewer_targets_cost_less(tmp_path):
    half = changed(tmp_path / "half.yaml", PAPER, pretrain={"target_fraction": 0.5})
    whole, halved = (
        planned("--machine", "h100", config=config)["stages"]["pretrain"]["flop"]
        for config in (PAPER, half)
    )
    assert halved / whole == pytest.approx(0.68, abs=0.01)


def test_gpu_memory_and_the_key_that_lowers_it(tmp_path):
    keys = {"pretrain": {"optim": {"ema": 0.999}}, "machine": {"pretrain": {"device_batch": 32}}}
    small = changed(tmp_path / "small.yaml", PAPER, **keys)
    cost = pretrain_cost(ModelConfig(), 0.9)
    for config, machine, parameter, clips in (
        (PAPER, "h100", 18, 256),
        (PAPER, "h100x8", 18, 32),
        (small, "h100", 22, 32),
    ):
        found = planned("--machine", machine, config=config)["stages"]
        expected = cost.parameters * parameter + clips * cost.activation_bytes
        assert found["pretrain"]["gpu_memory_bytes"] == expected
        expected = finetune_cost(ModelConfig(), 7).activation_bytes * 96
        assert found["finetune"]["gpu_memory_bytes"] == pytest.approx(expected, rel=0.2)
        assert "gpu_memory_bytes" not in found["evaluate"]
    text = plan.run(["--configfile", str(PAPER), "--machine", "h100"])
    assert "machine.device_batch" in text
    assert "gpu_memory_bytes" not in planned("--cpus", "2")["stages"]["pretrain"]


def test_more_gpus_take_less_time():
    one, eight = (planned("--machine", name, "--workers", "14") for name in ("h100", "h100x8"))
    assert one["stages"]["finetune"]["seconds"] > 4 * eight["stages"]["finetune"]["seconds"]


def test_as_many_jobs_run_at_once_as_there_are_cpus():
    jobs = [Job(stage="review", output=Path(f"{number}.png")) for number in range(5)]
    review = forecast_stages(jobs, TWO_CPUS)["review"]
    one = TWO_CPUS.rates.seconds["review"]["jobs"]
    assert review.seconds == pytest.approx(3 * one)
    assert review.cpu_seconds == pytest.approx(5 * one)


def test_the_shipped_rates_meet_the_recorded_demo_run_within_thirty_per_cent():
    """CPU seconds of each stage, as its records contain them."""
    run = json.loads((ROOT / "tests" / "demo_run.json").read_text())
    found = {str(job.output): estimate(job, TWO_CPUS).cpu_seconds for job in demo_jobs()}
    sums = {"measured": 0.0, "planned": 0.0}
    for stage, measured in run.items():
        ours = sum(found[output] for output in measured)
        assert ours == pytest.approx(sum(measured.values()), rel=0.3), stage
        sums["measured"] += sum(measured.values())
        sums["planned"] += ours
    assert sums["planned"] == pytest.approx(sums["measured"], rel=0.2)


def test_a_measured_run_corrects_the_rates(tmp_path):
    for _ in range(2):
        record(tmp_path / "results" / "pretrain" / "checkpoint.pt", "pretrain", 500.0)
    plan = planned("--cpus", "2", "--results", "results", config=DEMO)
    stage = plan["stages"]["pretrain"]
    assert stage["measured_cpu_seconds"] == pytest.approx(stage["cpu_seconds"]) == 1000
    assert stage["planned_for_them"] < 1000
    shown = plan_text("--cpus", "2", "--results", "results")
    assert "1,000 CPU s, planned" in shown
    assert "records in results (pretrain)" in shown


def plan_text(*options):
    return plan.run(["--configfile", str(DEMO), *options])


def test_waiting_splits_loading_from_learning(tmp_path):
    """100 s of training, 10 % of them waiting, on one thread beside one loader process."""
    output = tmp_path / "results" / "pretrain" / "checkpoint.pt"
    record(output, "pretrain", 60.0, [(0, 0.5), (50, 0.1)], status="KILLED")
    record(output, "pretrain", 80.0, [(1000, 0.5), (1050, 0.1)])
    config = changed(tmp_path / "c.yaml", machine={"workers": 1, "threads": None})
    planned("--cpus", "2", "--calibrate", "mine.json", config=config)
    found = rates.read(tmp_path / "mine.json").seconds["pretrain"]
    (job,) = (job for job in demo_jobs() if job.stage == "pretrain")
    assert found["jobs"] == TWO_CPUS.rates.seconds["pretrain"]["jobs"]
    assert found["1e9 multiply-adds"] * job.work["1e9 multiply-adds"] == pytest.approx(90)
    assert found["frames loaded"] * job.work["frames loaded"] == pytest.approx(
        140 - 90 - found["jobs"]
    )


def test_a_run_on_fewer_cpus_keeps_the_proportions(tmp_path):
    output = tmp_path / "results" / "pretrain" / "checkpoint.pt"
    record(output, "pretrain", 140.0, [(0, 0.5), (100, 0.1)])
    config = changed(tmp_path / "c.yaml", machine={"workers": 1, "threads": None})
    planned("--cpus", "16", "--calibrate", "mine.json", config=config)
    found = rates.read(tmp_path / "mine.json").seconds["pretrain"]
    ratios = [found[unit] / rate for unit, rate in TWO_CPUS.rates.seconds["pretrain"].items()]
    assert ratios == pytest.approx([ratios[0]] * 3)


def test_rates_of_a_run_serve_another_configuration(tmp_path):
    record(tmp_path / "results" / "tables" / "benchmark.md", "tabulate", 40.0)
    plan_text("--cpus", "2", "--calibrate", "mine.json")
    plan = planned("--machine", "h100", "--rates", "mine.json")
    assert plan["stages"]["tabulate"]["cpu_seconds"] == pytest.approx(40)
    assert plan["stages"]["cost"]["cpu_seconds"] == TWO_CPUS.rates.seconds["cost"]["jobs"]


def test_own_videos_are_counted_and_opened(tmp_path):
    lines = ["path,label,subject"]
    for number, label in enumerate(("happy", "sad", "happy", "sad")):
        render_video(tmp_path / f"{number}.mp4", number, label)
        lines.append(f"{number}.mp4,{label},s{number}")
    (tmp_path / "mine.csv").write_text("\n".join(lines))
    dataset = {"csv": "mine.csv", "folds": 2}
    config = {"datasets": {"mine": dataset}, "finetune": {"init": "scratch"}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(config))
    plan = planned("--cpus", "2", config=tmp_path / "mine.yaml")
    assert "pretrain" not in plan["stages"]
    assert plan["stages"]["evaluate"]["clips"] == 4 * 2
    for unit in ("disk_bytes", "network_bytes"):  # the videos stay where they are
        assert plan["stages"]["download"][unit] == 0
    assert any("4 here, 4 opened" in line for line in plan["assumptions"])
    (warning,) = plan["warnings"]
    assert warning.startswith("mine: 16 frames with stride 4 span 61 frames, but its clips have ")
    assert warning.endswith("Set finetune.stride: 1.")
    changed(tmp_path / "mine.yaml", tmp_path / "mine.yaml", finetune={"stride": 1})
    assert planned("--cpus", "2", config=tmp_path / "mine.yaml")["warnings"] == []


def test_what_is_on_this_machine_is_not_downloaded_again(tmp_path):
    config = tmp_path / "crema_d.yaml"
    config.write_text("datasets: {CREMA-D: {}}\nfinetune: {init: scratch}\n")
    whole = planned("--cpus", "2", config=config)["stages"]["download"]["network_bytes"]
    part = tmp_path / "data" / "raw" / "CREMA-D" / "VideoFlash" / "1001_DFA_ANG_XX.flv"
    part.parent.mkdir(parents=True)
    with part.open("wb") as file:
        file.truncate(10_000_000)
    left = planned("--cpus", "2", config=config)["stages"]["download"]
    assert left["network_bytes"] == left["disk_bytes"] == pytest.approx(whole - 10e6)


def test_cuts_of_own_videos_are_no_download(tmp_path):
    lines = ["path,label,subject,start,end"]
    for number, label in enumerate(("happy", "sad", "happy", "sad")):
        (tmp_path / f"{number}.mp4").write_bytes(b"video")
        lines.append(f"{number}.mp4,{label},s{number},0,1")
    (tmp_path / "mine.csv").write_text("\n".join(lines))
    config = {
        "datasets": {"mine": {"csv": "mine.csv", "folds": 2}},
        "finetune": {"init": "scratch"},
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(config))
    download = planned("--cpus", "2", config=tmp_path / "mine.yaml")["stages"]["download"]
    assert download["network_bytes"] == 0


@pytest.mark.parametrize("config", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_configuration_has_a_forecast(config):
    assert planned(config=config)["stages"]


def test_the_table_names_units_bottleneck_and_assumptions():
    text = plan.run(["--configfile", str(PAPER), "--machine", "h100x8"])
    header = next(line for line in text.splitlines() if line.startswith("stage"))
    for column in ("jobs", "time", "CPU hours", "GPU hours", "disk", "network", "limit"):
        assert column in header
    for part in ("Bottleneck: ", "Assumptions", "assumed", "989.4 TFLOP/s", "total", "clips/s"):
        assert part in text
    assert "measured" not in header
    assert re.search(r"crop: `crop.keep: false` would free 1\.\d+ TB once", text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--machine", "h10"], "did you mean 'h100'"),
        (["--gpus", "1"], "--gpu-tflops"),
        (["--cpus", "0"], "machine: cpus: is 0; write a number at least 1"),
        (["--gpu-share", "40"], "--gpu-share"),
        (["--rates", "none.json"], "none.json: contains no rates"),
        (["--results", "nowhere"], "nowhere: no job of this configuration has a record"),
        (["--calibrate", "new.json"], "results: no job of this configuration has a record"),
        (["--configfile", "none.yaml"], "none.yaml: cannot be read"),
    ],
)
def test_mistakes_are_explained(options, message):
    with pytest.raises(SvfapError, match=message) as caught:
        plan.run(["--configfile", str(PAPER), *options])
    assert "\n" not in str(caught.value)


def test_rates_are_read_as_written_and_the_last_file_wins(tmp_path):
    known = rates.read()
    slow = known.model_copy(update={"seconds": {"review": {"jobs": 60.0}}, "source": "a run"})
    (tmp_path / "rates.json").write_text(known.model_dump_json())
    (tmp_path / "slow.json").write_text(slow.model_dump_json())
    assert rates.read(tmp_path / "rates.json") == known
    found = rates.read(tmp_path / "rates.json", tmp_path / "slow.json")
    assert found.source == "a run"
    assert found.seconds == known.seconds | slow.seconds


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"headline": 3}',
        '{"headline": {"unit": "clips/CPU s"}}',
        '{"seconds": {"start": 0.6}, "jpeg_bytes": 0.2, "source": "an earlier version"}',
        '{"seconds": {"crop": {"jobs": -1}}, "jpeg_bytes": 0.2, "source": "a slip"}',
    ],
)
def test_a_wrong_file_of_rates_is_explained(tmp_path, content):
    path = tmp_path / "rates.json"
    path.write_text(content)
    with pytest.raises(SvfapError, match=r"contains no rates .* --calibrate") as caught:
        rates.read(path)
    assert "\n" not in str(caught.value)


def test_slow_paces_are_not_shown_as_zero(tmp_path):
    slow = TWO_CPUS.rates.model_dump()
    slow["seconds"]["pretrain"]["1e9 multiply-adds"] = 5.0
    (tmp_path / "slow.json").write_text(json.dumps(slow))
    text = plan.run(["--configfile", str(PAPER), "--cpus", "2", "--rates", "slow.json"])
    assert "the model can take 0.0" in text
    assert " 0 clips/s" not in text


def test_presets_have_sources():
    for name in presets():
        machine = choose_machine(name, {})
        assert machine.name == name
        assert machine.source
        assert (machine.tflops > 0) == (machine.gpus > 0)


def test_the_command_line(tmp_path):
    command_line = [sys.executable, "-m", "svfap", "plan", "--configfile", str(PAPER)]
    done = subprocess.run(
        [*command_line, "--machine", "h1000"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("svfap plan: error: --machine: unknown 'h1000'")
