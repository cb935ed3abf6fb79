"""Jobs that share no disk: only declared files travel, and the tables are the same."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from helpers import pods
from helpers.s3_server import KEYS, S3Server
from helpers.toy_project import CONFIG, ROOT

for _needed in ("moto", "snakemake_storage_plugin_s3", "snakemake_storage_plugin_fs"):
    pytest.importorskip(_needed)
pytest.importorskip("snakemake_executor_plugin_cluster_generic")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

BUCKET = "toys"
WITHOUT_PODS = ("--cores", "2", "--shared-fs-usage", "none", "--default-storage-provider", "s3")
WITHOUT_PODS += ("--default-storage-prefix",)
TABLES = ("benchmark.csv", "folds.csv", "per_class.csv", "predictions.csv", "rejects.csv")


@pytest.fixture(scope="module")
def store():
    """The address of an S3 server on this machine, and its client."""
    with S3Server() as server:
        server.client.create_bucket(Bucket=BUCKET)
        yield server.address, server.client


@pytest.fixture(scope="module")
def project(tmp_path_factory, toy_videos):
    """A folder with the workflow, a list and four videos, trained from scratch in two folds."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("Snakefile", "workflow", "profiles", "envs"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, folder / name)
    rows = ["path,label,fold"]
    for number, video in enumerate([*toy_videos.values()][:4]):
        shutil.copy(video, folder / f"{number}.mp4")
        rows.append(f"{number}.mp4,{'ab'[number % 2]},{1 + number // 2}")
    (folder / "my.csv").write_text("\n".join([*rows, "missing.mp4,a,1"]) + "\n")
    config = {key: CONFIG[key] for key in ("crop", "model")}
    finetune = CONFIG["finetune"] | {"init": "scratch"}
    config |= {"datasets": {"toy": {"csv": "my.csv"}}, "finetune": finetune, "baseline": False}
    (folder / "toy.yaml").write_text(yaml.safe_dump(config))
    return folder


@pytest.fixture(scope="module")
def wanted(project):
    """Table -> content after a run on this machine alone."""
    done = snakemake(project, "--cores", "2")
    assert done.returncode == 0, done.stderr[-3000:]
    made = {name: (project / "results/tables" / name).read_bytes() for name in TABLES}
    for name in ("data", "results"):
        shutil.rmtree(project / name)
    return made


def arguments(project: Path, provider: str, prefix: str) -> list[str]:
    """Flags of a run whose jobs start in empty folders."""
    script = f"{sys.executable} {ROOT / 'tests/helpers/pods.py'}"
    submit = ("--pods-submit-cmd", f"{script} submit", "--pods-status-cmd", f"{script} status")
    where = ("--default-storage-provider", provider, "--default-storage-prefix", prefix)
    executor = ("--executor", "pods", "--jobs", "2", "--seconds-between-status-checks", "1")
    return [*executor, *submit, *where, "--shared-fs-usage", "none"]


def settings(project: Path, address: str, keys: dict[str, str]) -> dict[str, str]:
    """The environment of such a run."""
    place = project / "pods"
    place.mkdir(exist_ok=True)
    program = str(Path(sys.executable).parent)
    paths = [str(ROOT), str(ROOT / "tests/helpers/plugins"), os.environ.get("PYTHONPATH", "")]
    known = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "SNAKEMAKE_"))}
    return {
        **known,
        "PATH": f"{program}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "PODS": str(place),
        "HOME": str(project),
        "MLFLOW_TRACKING_URI": "off",
        "AWS_EC2_METADATA_DISABLED": "true",
        "SNAKEMAKE_STORAGE_S3_ENDPOINT_URL": address,
        **keys,
    }


def command(project: Path, *words: str) -> list[str]:
    program = str(Path(sys.executable).parent / "snakemake")
    return [program, "--configfile", "toy.yaml", "--rerun-incomplete", *words]


def snakemake(project: Path, *words: str, env=None) -> subprocess.CompletedProcess[str]:
    """Run Snakemake in the project."""
    environment = env or settings(project, "", {})
    return subprocess.run(
        command(project, *words),
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_by_s3_and_with_a_job_that_is_taken_away(project, wanted, store):
    address, client = store
    words = arguments(project, "s3", f"s3://{BUCKET}/run")
    environment = settings(project, address, KEYS)
    with subprocess.Popen(
        command(project, *words, "--until", "crop"),
        cwd=project,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as run:
        while not (jobs := [*project.glob("pods/*/.pid")]):
            assert run.poll() is None
            time.sleep(0.1)
        pods.evict(jobs[0].parent)
        assert run.wait(600) == 1
    done = snakemake(project, *words, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    keys = {item.key.removeprefix("run/") for item in client.Bucket(BUCKET).objects.all()}
    for name in TABLES:
        content = client.Object(BUCKET, f"run/results/tables/{name}").get()["Body"].read()
        assert content == wanted[name], name
    assert {f"data/videos/toy/1/{n}.mp4" for n in range(2)} <= keys
    for part in (1, 2):
        for file in ("tars/000000.tar", "index.parquet", "index.jsonl"):
            assert f"data/shards/toy/{part}/{file}" in keys
        assert len([k for k in keys if f"data/crops/toy/{part}/face_clips/" in k]) >= 2
    assert not (project / "results/tables").exists()
    assert not (project / "data/crops").exists()


@pytest.mark.long
@pytest.mark.skipif(shutil.which("rsync") is None, reason="Snakemake's plugin for folders needs it")
def test_by_a_folder(project, wanted, tmp_path):
    words = arguments(project, "fs", str(tmp_path / "store"))
    done = snakemake(project, *words, env=settings(project, "", {}))
    assert done.returncode == 0, done.stderr[-3000:]
    for name in TABLES:
        assert (tmp_path / "store/results/tables" / name).read_bytes() == wanted[name], name


@pytest.mark.parametrize(
    ("bucket", "keys", "message"),
    [
        (BUCKET, {}, "Unable to locate credentials; check address, credentials"),
        (BUCKET, KEYS | {"SNAKEMAKE_STORAGE_S3_ENDPOINT_URL": "http://127.0.0.1:9"}, "connect to"),
        ("none-such", KEYS, "there is no such bucket"),
        (f"{BUCKET}/a b", KEYS, "' ' in --default-storage-prefix"),
    ],
)
def test_a_storage_that_cannot_be_used_is_one_line(project, store, bucket, keys, message):
    words = [*arguments(project, "s3", f"s3://{bucket}/run"), "--storage-s3-retries", "1"]
    done = snakemake(project, *words, env=settings(project, store[0], keys))
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_storage_that_refuses_to_write_is_one_line_and_the_next_run_goes_on(project, store):
    address, client = store
    statement = {"Effect": "Deny", "Principal": "*", "Action": ["s3:PutObject"]}
    policy = {"Statement": [statement | {"Resource": f"arn:aws:s3:::{BUCKET}/refused/*"}]}
    client.BucketPolicy(BUCKET).put(Policy=json.dumps(policy))
    words = [*WITHOUT_PODS, f"s3://{BUCKET}/refused", "--until", "download"]
    environment = settings(project, address, KEYS)
    done = snakemake(project, *words, env=environment)
    client.BucketPolicy(BUCKET).delete()
    assert done.returncode == 1
    (error,) = (line for line in done.stderr.splitlines() if "error: " in line)
    assert "Failed to store output in storage s3://toys/refused/data" in error
    assert "403" in error
    assert error.endswith("run the same command again: finished jobs are kept")
    again = snakemake(project, *words, env=environment)
    assert again.returncode == 0, again.stderr[-3000:]


@pytest.mark.long
def test_a_storage_that_is_gone_while_jobs_run_and_a_job_that_fails_elsewhere(project, tmp_path):
    config = yaml.safe_load((project / "toy.yaml").read_text())
    config["crop"]["max_rejects"] = 0  # of three videos of a part, one is missing
    with S3Server() as server:
        server.client.create_bucket(Bucket=BUCKET)
        words = [*arguments(project, "s3", f"s3://{BUCKET}/gone"), "--storage-s3-retries", "1"]
        words += ["--until", "crop"]
        environment = settings(project, server.address, KEYS)
        known = {*project.glob("pods/*")}
        with subprocess.Popen(
            command(project, *words),
            cwd=project,
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        ) as run:
            while not {*project.glob("pods/*/.pid")} - {path / ".pid" for path in known}:
                assert run.poll() is None
                time.sleep(0.1)
            server.stop()
            _, shown = run.communicate(timeout=600)
        assert run.returncode == 1
        assert "Traceback" not in shown
        assert "FAILED: crop toy" in shown
        assert "finished jobs are kept" in shown
        server.start()
        (project / "strict.yaml").write_text(yaml.safe_dump(config))
        strict = ["--configfile", "strict.yaml", "--keep-going"]
        done = snakemake(project, *words, *strict, env=environment)
        assert done.returncode == 1
        assert "FAILED: crop toy 1" in done.stderr
        assert "svfap crop: error: " in done.stderr
        assert re.search("1/2 crop +toy 2", done.stderr)
        assert "download" not in done.stderr
