"""The workflow on a real SLURM cluster, through the profile: time limits, preemption, two nodes."""

import csv
import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import chdir
from pathlib import Path

import pytest
import torch
import yaml
from helpers import slurm_cluster
from helpers.tiny_trainer import same_weights
from helpers.toy_project import CONFIG, OPTIM, ROOT
from helpers.toy_videos import TOY_CLASSES

from svfap.experiment import resolve
from svfap.training import tensor_file
from svfap.training.checkpoint import Checkpoint

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(900)]
EPOCHS = 400
PRETRAIN = "results/pretrain"
SHARDS = [f"data/shards/toy/fold{number}/index.parquet" for number in (1, 2)]
ENVIRONMENT = os.environ | {
    "OMP_NUM_THREADS": "1",
    "MLFLOW_TRACKING_URI": "off",
    "PYTHONPATH": str(ROOT),
}


def config(epochs: int) -> dict:
    optim = OPTIM | {"epochs": epochs}
    return CONFIG | {
        "datasets": {"toy": {"csv": "toy.csv", "folds": 2}},
        "pretrain": {"datasets": ["toy"], "optim": optim},
        "machine": {"device_batch": 2},  # equal batches on one and two nodes
    }


def command(folder: Path, *options: str) -> list[str]:
    """Snakemake as on a login node."""
    return [
        *(str(Path(sys.executable).parent / "snakemake"), "--snakefile", str(ROOT / "Snakefile")),
        *("--directory", str(folder), "--configfile", str(folder / "config.yaml")),
        *("--workflow-profile", str(folder / "profile"), *options),
    ]


@pytest.fixture(scope="module", autouse=True)
def slurm(tmp_path_factory):
    if reason := slurm_cluster.missing() or slurm_cluster.install():
        pytest.skip(f"no SLURM can be started: {reason}")
    with slurm_cluster.running(tmp_path_factory.mktemp("slurm")):
        yield


def write_project(folder: Path, *, epochs: int, **pretrain: object) -> None:
    """Write a configuration, and the profile with its sizes reduced to this cluster."""
    (folder / "config.yaml").write_text(yaml.safe_dump(config(epochs)))
    profile = yaml.safe_load((ROOT / "workflow/profiles/slurm/config.yaml").read_text())
    profile["set-threads"] = dict.fromkeys(profile["set-threads"], 1)
    profile["set-resources"]["pretrain"] |= pretrain
    profile |= {"slurm-init-seconds-before-status-checks": 1, "slurm-status-command": "squeue"}
    (folder / "profile").mkdir()
    (folder / "profile/config.yaml").write_text(yaml.safe_dump(profile))


def copy_of(project: Path, folder: Path) -> None:
    """Copy everything up to the shards to another folder."""
    for name in ("data", "results/tracking"):
        shutil.copytree(project / name, folder / name)
    shutil.copy2(project / "toy.csv", folder)


def unbroken(project: Path, folder: Path, *, epochs: int) -> dict[str, torch.Tensor]:
    """Return the weights of a pre-training without interruption and without SLURM."""
    with chdir(project):
        experiment = resolve.resolve(config(epochs), where="config")
    job, machine = experiment.pretrain_section(), experiment.config.machine.flags()["pretrain"]
    output = folder / "unbroken" / "checkpoint.pt"
    # Clips per forward pass decide how sums are rounded.
    stage = ["pretrain", "--config", job.model_dump_json(), "--machine", machine]
    stage += ["--shards", *SHARDS]
    subprocess.run(
        [sys.executable, "-m", "svfap.launch", "1", *stage, "--output", str(output)],
        env=ENVIRONMENT,
        cwd=project,
        check=True,
    )
    return Checkpoint.read(output).model


def running_job() -> str:
    """Return the id of the job that runs on a GPU; empty if there is none."""
    listed = subprocess.run(
        ["squeue", "-h", "-p", "gpu", "-t", "R", "-o", "%i"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    return listed[0] if listed else ""


def wait_for_training(workflow: subprocess.Popen, folder: Path, *, since: float) -> str:
    """Wait until a training that started after `since` has logged metrics; return its job's id."""
    record = folder / PRETRAIN / "run.jsonl"
    while True:
        assert workflow.poll() is None, (folder / "snakemake.log").read_text()[-5000:]
        lines = record.read_bytes().splitlines()[:-1] if record.exists() else []
        events = [event for event in map(json.loads, lines) if event["time"] > since]
        if {"start", "metrics"} <= {event["event"] for event in events}:
            return running_job()
        time.sleep(0.2)


def shown(job: str) -> str:
    done = subprocess.run(
        ["scontrol", "show", "job", job], capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory, toy_videos):
    """A folder in which the pipeline has run on the cluster, its pre-training stopped twice."""
    folder = tmp_path_factory.mktemp("project")
    with (folder / "toy.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label", "subject"])
        for subject in (0, 1):
            rows.writerows([toy_videos[subject, k], k, f"s{subject}"] for k in TOY_CLASSES)
    write_project(folder, epochs=EPOCHS)
    log = folder / "snakemake.log"
    with (
        log.open("w") as file,
        subprocess.Popen(command(folder), env=ENVIRONMENT, stdout=file, stderr=file) as workflow,
    ):
        first = wait_for_training(workflow, folder, since=0)
        (folder / "job.txt").write_text(shown(first))
        subprocess.run(["scancel", "--signal=USR1", first], check=True)
        second = wait_for_training(workflow, folder, since=time.time())
        assert first != second
        node = shown(second).split(" NodeList=")[1].split()[0]
        subprocess.run(
            ["sbatch", "-p", "urgent", "-w", node, "--wrap", "true", "-o", "/dev/null"], check=True
        )
        wait_for_training(workflow, folder, since=time.time())
        assert workflow.wait(600) == 0, log.read_text()[-5000:]
    return folder


def test_tables_are_made_and_logs_lie_where_the_readme_says(project):
    assert "toy" in (project / "results/tables/benchmark.md").read_text()
    assert "finetune" in (project / "results/logs/finetune/toy/fold1.log").read_text()
    assert [*(project / "results/logs/slurm/rule_pretrain").glob("*.log")]


def test_a_training_that_was_stopped_and_preempted_ends_in_the_same_weights(project, tmp_path):
    log = (project / "results/logs/pretrain.log").read_text()
    assert "resuming at step" in log
    broken = Checkpoint.read(project / PRETRAIN / "checkpoint.pt").model
    assert same_weights(unbroken(project, tmp_path, epochs=EPOCHS), broken)


def test_jobs_ask_for_what_the_profile_says(project):
    job = (project / "job.txt").read_text()
    for wanted in ("TresPerJob=gres:gpu:1", "Partition=gpu", "TimeLimit=1-00:00:00", "Requeue=1"):
        assert wanted in job
    folds = (project / "results/logs/slurm/rule_finetune").glob("*_*.log")
    assert sorted(path.stem.partition("_")[2] for path in folds) == ["1", "2"]  # of an array


def test_a_training_that_comes_to_its_time_limit_has_saved(project, tmp_path):
    copy_of(project, tmp_path)
    write_project(tmp_path, epochs=10**6, runtime=1, slurm_extra="'--signal=USR1@20'")
    done = subprocess.run(
        command(tmp_path, "--until", "pretrain", "--retries", "0"),
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert done.returncode == 1
    assert "stopped at step" in (tmp_path / "results/logs/pretrain.log").read_text()
    assert tensor_file.read(tmp_path / PRETRAIN / "state/last.pt")["step"] > 0


def test_two_nodes_train_one_model(project, tmp_path):
    """Two processes that meet over the network end in the weights of one process."""
    copy_of(project, tmp_path)
    nodes = {"gpu": 2, "nodes": 2, "tasks": 2, "tasks_per_gpu": 0, "mpi": "srun"}
    extra = "'--signal=USR1@120 --gpus-per-node=1'"
    write_project(tmp_path, epochs=3, slurm_extra=extra, **nodes)
    subprocess.run(
        command(tmp_path, "--until", "pretrain"), env=ENVIRONMENT, check=True, timeout=400
    )
    found = Checkpoint.read(tmp_path / PRETRAIN / "checkpoint.pt").model
    for key, value in unbroken(project, tmp_path, epochs=3).items():
        torch.testing.assert_close(found[key], value, rtol=1e-3, atol=1e-4)
