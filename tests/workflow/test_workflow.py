"""The whole DAG on real files: it runs, reruns only what changed, and survives a kill."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter

import faults
import pandas as pd
import pytest
from helpers.toy_project import (
    LABELS,
    OPTIM,
    ROOT,
    changed,
    command,
    kill_stage,
    planned,
    snakemake,
    write_project,
)
from helpers.toy_videos import TOY_CLASSES, TOY_SUBJECTS
from mlflow import MlflowClient


@pytest.fixture(scope="module")
def project(tmp_path_factory, toy_videos):
    """A project folder in which the whole DAG has run once."""
    folder = tmp_path_factory.mktemp("project")
    write_project(folder, toy_videos)
    done = snakemake(folder, check=False)
    assert done.returncode == 0, done.stderr[-5000:]
    (folder / "screen.txt").write_text(done.stderr)
    return folder


def test_a_label_that_no_font_draws_is_told_before_the_first_job(tmp_path):
    rows = [f"{n}.mp4,{label},{n}" for n, label in enumerate(["\uf8ff", "plain"] * 2)]
    (tmp_path / "own.csv").write_text("\n".join(["path,label,subject", *rows]), encoding="utf-8")
    for n in range(4):
        (tmp_path / f"{n}.mp4").touch()
    datasets = {"toy": {"csv": "own.csv", "folds": 2}}
    changed(tmp_path, datasets=datasets, pretrain__datasets=[], finetune__init="scratch")
    done = snakemake(tmp_path, "--dry-run")
    assert "svfap: warning: no font here draws '\uf8ff'" in done.stderr


def test_the_screen_shows_one_line_a_job_and_what_was_rejected(project):
    lines = (project / "screen.txt").read_text().splitlines()
    jobs = [line.split()[2:-2] for line in lines if re.match(r"[\d:]{8} +\d+/\d+ ", line)]
    assert len(jobs) == int(next(line.split()[1] for line in lines if "jobs;" in line))
    for job in (["download", "toy"], ["crop", "toy", "fold1"], ["finetune", "toy", "fold2"]):
        assert job in [words[: len(job)] for words in jobs]
    assert sum("rejected: " in line for line in lines) == 3
    assert len(lines) < 3 * len(jobs)


def test_the_summary_has_chance_the_baseline_and_a_sentence(project):
    text = (project / "results/tables/summary.md").read_text()
    for words in ("| chance", "| HOG + logistic regression", "| ours", "has not seen", "Look next"):
        assert words in text


def test_without_a_baseline_nothing_else_changes(project):
    try:
        changed(project, baseline=False)
        assert planned(project) == {"tabulate": 1, "all": 1, "total": 2}
    finally:
        changed(project)


def test_tables_and_figures_are_made(project):
    table = (project / "results/tables/benchmark.md").read_text()
    assert "toy" in table
    assert "UAR" in table
    assert len((project / "results/tables/costs.csv").read_text().splitlines()) == 2
    for name in ("benchmark.csv", "benchmark.tex", "folds.md", "per_class.md", "rejects.html"):
        assert (project / "results/tables" / name).stat().st_size > 0
    for name in ("toy/confusion", "toy/curves", "pretrain/curves"):
        assert (project / f"results/figures/{name}.png").stat().st_size > 5000
    assert (project / "results/pretrain/reconstruction.png").stat().st_size > 5000
    assert (project / "results/pretrain/reconstruction.mp4").stat().st_size > 2000
    for name in ("embedding", "attention"):
        assert (project / f"results/evaluate/toy/fold1/{name}.png").stat().st_size > 5000


def test_every_clip_is_predicted_once_by_a_model_that_never_saw_its_subject(project):
    paths = sorted(project.glob("results/evaluate/toy/*/predictions.parquet"))
    frame = pd.concat(pd.read_parquet(path) for path in paths)
    clips = frame.groupby("key").fold.nunique()
    assert len(clips) == len(TOY_SUBJECTS) * len(TOY_CLASSES)
    assert (clips == 1).all()
    assert (frame.groupby("subject").fold.nunique() == 1).all()


def test_the_table_for_r_names_clips_and_classes_as_the_user_does(project):
    table = pd.read_csv(project / "results/tables/predictions.csv")
    listed = pd.read_csv(project / "my videos.csv").set_index("path")
    models = {"main", "baseline"}
    assert Counter(zip(table.run, table.path, strict=True)) == {
        (run, path): 1 for run in models for path in listed.index if path.startswith("/")
    }
    labels = listed.label.replace(LABELS["surprise"], f"'{LABELS['surprise']}")  # no formula
    assert (labels[table.path].to_numpy() == table.true_label).all()
    scores = table[[f"p_{name}" for name in LABELS.values()]]
    assert scores.sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-5)
    likeliest = scores.idxmax(axis=1).str.removeprefix("p_")
    assert (likeliest == table.predicted_label.str.removeprefix("'")).all()


def test_bad_videos_are_rejected_with_their_reason(project):
    rejects = pd.read_csv(project / "results/tables/rejects.csv").set_index("key")
    assert {*rejects.index} == {"empty", "text", "missing"}
    assert rejects.reason.nunique() == 3


def test_no_name_of_a_video_class_or_subject_is_run_as_a_command(project):
    assert not [*project.rglob("pwned*")]
    assert not [*ROOT.glob("pwned*")]
    classes = pd.read_csv(project / "results/tables/per_class.csv")["class"]
    assert {*classes} == {*LABELS.values()}
    for page in project.rglob("*.html"):
        assert "<script>alert" not in page.read_text()


def test_a_second_run_does_nothing(project):
    assert planned(project) == {}
    assert "Nothing to be done" in snakemake(project).stderr


def test_a_clock_that_jumped_reruns_nothing(project):
    dates = random.Random(0)
    for path in sorted(
        path for name in ("data", "results") for path in (project / name).rglob("*")
    ):
        if path.is_file() and not path.is_symlink():  # which would change the user's own videos
            os.utime(path, (dates.randrange(2**31),) * 2)  # from 1970 to 2038
    assert planned(project) == {}


def test_an_edited_module_or_rule_retrains_nothing(project, tmp_path):
    for name in ("Snakefile", "profiles", "workflow", "svfap", "envs"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, tmp_path / name)
    for name in ("svfap/training/loop.py", "svfap/stages/pretrain.py"):
        (tmp_path / name).write_text((tmp_path / name).read_text() + "# a comment\n")
    rules = tmp_path / "workflow/rules/train.smk"
    text = rules.read_text()
    rules.write_text(text.replace("python -m svfap", "# a comment\\npython -m svfap"))
    assert rules.read_text() != text
    assert planned(project, root=tmp_path) == {}


def test_a_changed_key_reruns_what_depends_on_it_and_no_more(project):
    try:
        changed(project, datasets__toy__finetune={"label_smoothing": 0.2})
        assert planned(project) == {
            "finetune": 2,
            "evaluate": 2,
            "tabulate": 1,
            "all": 1,
            "total": 6,
        }
        changed(project, pretrain__mask_ratio=0.8)
        assert planned(project).keys() == {
            "pretrain",
            "finetune",
            "evaluate",
            "cost",
            "tabulate",
            "all",
            "total",
        }
        changed(project, variants={"fused": {"finetune": {"fusion": True}}})
        assert planned(project) == {
            "finetune": 2,
            "evaluate": 2,
            "cost": 1,
            "tabulate": 1,
            "all": 1,
            "total": 7,
        }
        changed(project, crop__margin=0.3)
        assert "crop" in planned(project)
        assert "download" not in planned(project)
    finally:
        changed(project)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pretrain__optim": {"workers": 1}}, "move it to `machine.workers`"),
        ({"variants": {"v": {"finetune": {"optim": {"compile": True}}}}}, "`machine.compile`"),
        ({"machine__finetune": {"worker": 1}}, "did you mean 'machine.finetune.workers'?"),
        ({"pretrain__mask_ration": 0.5}, "did you mean 'pretrain.mask_ratio'?"),
        ({"datasets__toy__csv": "none.csv"}, "none.csv"),
        ({"datasets__dmeo": {}}, "did you mean 'demo'?"),
    ],
)
def test_mistakes_stop_before_the_first_job(project, change, message):
    try:
        changed(project, **change)
        done = snakemake(project, check=False)
    finally:
        changed(project)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_mlflow_shows_every_job_below_one_parent_and_what_it_was_made_from(project):
    client = MlflowClient(tracking_uri=f"sqlite:///{project}/results/mlflow.db")
    found = client.get_experiment_by_name(f"{project.name}/results")
    runs = client.search_runs([found.experiment_id])
    assert Counter(run.data.tags["stage"] for run in runs) == {
        "pipeline": 1,
        "download": 2,
        "crop": 4,
        "review": 2,
        "shard": 4,
        "pretrain": 1,
        "finetune": 2,
        "evaluate": 2,
        "baseline": 1,
        "cost": 1,
        "tabulate": 1,
    }
    assert {run.info.status for run in runs} == {"FINISHED"}
    (parent,) = (run for run in runs if run.data.tags["stage"] == "pipeline")
    children = [run for run in runs if run is not parent]
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}
    assert parent.data.params["pretrain.optim.epochs"] == "4"
    assert parent.data.tags["config_hash"] != children[0].data.tags["config_hash"]
    assert any("UAR" in name for name in parent.data.metrics)
    (pretrain,) = (run for run in runs if run.data.tags["stage"] == "pretrain")
    for run in (run for run in runs if run.data.tags["stage"] == "finetune"):
        assert pretrain.info.run_id in run.data.tags.values()
        assert run.data.params["finetune.optim.epochs"] == "4"
        assert run.data.metrics["loss"] > 0
        assert {i.tags[0].value for i in run.inputs.dataset_inputs} == {"training"}
        assert len(run.outputs.model_outputs) == 1
    artifacts = {file.path for file in client.list_artifacts(pretrain.info.run_id)}
    assert "reconstruction.png" in artifacts


def test_the_report_shows_tables_and_pictures(project):
    snakemake(project, "--report", "results/report.html")
    page = (project / "results/report.html").read_text()
    for word in (
        "benchmark.html",
        "folds.html",
        "per_class.html",
        "confusion.png",
        "classes.png",
        "reconstruction.png",
        "reconstruction.mp4",
        "embedding.png",
        "attention.png",
        "rejects.html",
        "runs.html",
    ):
        assert word in page
    for caption in ("gave no face clip", "What pre-training learns", "beside those that the paper"):
        assert caption in page
    first = page[page.index("var workflow_desc") :].split("</script>")[0]
    for words in ("chance gives 50.0", "By fold.", "3 rejected videos", "Run times"):
        assert words in first
    assert len(page) < 5_000_000


@pytest.mark.slow
def test_a_final_model_and_cheaply_tuned_variants_join_a_finished_run(project, tmp_path):
    folder = tmp_path / "joined"
    shutil.copytree(project, folder, symlinks=True)  # others compare the project with theirs
    variants = {
        "probe": {"finetune": {"tune": "probe", "pool": "attention"}},
        "lora": {"finetune": {"tune": "lora"}},
    }
    changed(folder, finetune__final=True, variants=variants)
    jobs = planned(folder)
    assert (jobs["finetune"], jobs["evaluate"]) == (5, 4)  # two folds twice, and all clips
    assert not {*jobs} & {"pretrain", "shard", "crop"}
    snakemake(folder)
    table = (folder / "results/tables/ablations.md").read_text()
    assert "trained (M)" in table
    assert re.search(r"\| probe .*\(\d+\.\d+ %\)", table)
    assert re.search(r"\| lora .*\(\d+\.\d+ %\)", table)
    # The two folds share the features of a part.
    assert len([*folder.glob("data/shards/toy/*/features/*.pt")]) == 2
    script = [sys.executable, "-m", "svfap", "export", "results/finetune/toy", "shared"]
    subprocess.run(script, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True)
    card = (folder / "shared/README.md").read_text()
    assert "none of the figures is its own" in card
    assert "| toy | pooled |" in card


@pytest.mark.slow
def test_a_run_whose_training_is_killed_is_finished_by_the_next(tmp_path, toy_videos):
    write_project(tmp_path, toy_videos)
    changed(tmp_path, pretrain__optim=OPTIM | {"epochs": 60}, machine__save_minutes=1e-4)
    target = ["--until", "pretrain"]
    state = tmp_path / "results/pretrain/state/last.pt"
    environment = os.environ | {"MLFLOW_TRACKING_URI": "off"}
    log = tmp_path / "snakemake.log"
    with (
        log.open("w") as file,
        subprocess.Popen(
            command(tmp_path, *target), env=environment, stdout=file, stderr=file
        ) as workflow,
    ):
        while not state.exists():
            assert workflow.poll() is None, log.read_text()[-3000:]
            time.sleep(0.05)
        kill_stage(tmp_path, "pretrain")
        assert workflow.wait(60) == 1
    crops = tmp_path / "data/crops/faces/part1/clips.csv"
    made = crops.stat().st_mtime_ns
    again = subprocess.run(
        command(tmp_path, *target), env=environment, capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stderr[-3000:]
    assert "resuming at step" in (tmp_path / "results/logs/pretrain.log").read_text()
    assert crops.stat().st_mtime_ns == made
    assert not state.exists()


@pytest.mark.slow
def test_a_second_run_is_refused_and_an_interrupt_saves_and_unlocks(tmp_path, toy_videos):
    write_project(tmp_path, toy_videos)
    changed(tmp_path, pretrain__optim=OPTIM | {"epochs": 4000})
    environment = os.environ | {"MLFLOW_TRACKING_URI": "off"}
    progress = tmp_path / "results/logs/pretrain.log"
    with subprocess.Popen(
        command(tmp_path, "--until", "pretrain"),
        env=environment,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as workflow:
        while not (progress.exists() and "pretrain" in progress.read_text()):
            assert workflow.poll() is None
            time.sleep(0.1)
        second = snakemake(tmp_path, check=False)
        assert second.returncode == 1
        assert "Directory cannot be locked" in second.stderr
        assert "--unlock" in second.stderr
        assert workflow.poll() is None
        for _ in range(3):  # as impatient people do
            os.killpg(workflow.pid, signal.SIGINT)
            time.sleep(0.05)
        _, errors = workflow.communicate(timeout=60)
    assert workflow.returncode == 1
    assert "Traceback" not in errors + progress.read_text()
    assert (tmp_path / "results/pretrain/state/last.pt").is_file()
    assert "stopped at step" in progress.read_text()
    assert "pretrain" in planned(tmp_path)


@pytest.mark.slow
@pytest.mark.faults
def test_a_run_that_is_killed_again_and_again_ends_in_the_same(project, tmp_path, toy_videos):
    write_project(tmp_path, toy_videos)
    (log,) = sorted((project / ".snakemake/log").glob("*.log"))[:1]
    seconds = faults.durations(log.read_text())
    tally = faults.kill_and_go_on(tmp_path, ("crop", "pretrain", "evaluate"), seconds, seed=0)
    assert tally.kills == 3
    assert tally.repeated == []
    assert tally.lost == 0
    assert faults.contents(tmp_path) == faults.contents(project)
