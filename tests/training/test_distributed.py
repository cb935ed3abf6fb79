"""Two processes under torchrun with gloo: the same weights as one process, one set of files."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from helpers.toy_shards import make_shards

from svfap.config import FinetuneConfig, OptimConfig
from svfap.config.stage_sections import FinetuneJob
from svfap.training.checkpoint import Checkpoint


@pytest.fixture
def job(toy_model):
    optim = OptimConfig(
        epochs=6,
        warmup_epochs=1,
        batch_size=8,
        lr=0.02,
        betas=(0.9, 0.999),
        clip_grad=1.0,
        ema=0.5,
    )
    config = FinetuneConfig(init="scratch", optim=optim, rand_augment="")
    return FinetuneJob(
        seed=1,
        task="classification",
        targets=("no", "yes"),
        stride=1,
        model=toy_model,
        finetune=config,
    )


def command(job, shards, output, *, processes):
    return [
        *(sys.executable, "-m", "svfap.launch", str(processes)),
        *("finetune", "--config", job.model_dump_json(), "--machine", '{"device_batch": 2}'),
        *("--pretrained", "--shards", str(shards), "--output", str(output)),
    ]


ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


def finish(arguments):
    return subprocess.run(
        arguments, env=ENVIRONMENT, capture_output=True, text=True, check=True, timeout=300
    )


def test_two_processes_end_where_one_does(tmp_path, job):
    """With mixup, cutmix, erasing and drop path, whose random numbers belong to a batch."""
    shards = make_shards(tmp_path / "shards", [0, 1] * 6)
    outputs = [tmp_path / str(processes) / "checkpoint.pt" for processes in (1, 2)]
    for processes, output in enumerate(outputs, start=1):
        done = finish(command(job, shards, output, processes=processes))
        assert done.stderr.count("9/9") == 1
        assert "Traceback" not in done.stderr
        lines = (output.parent / "run.jsonl").read_text().splitlines()
        assert sum('"start"' in line for line in lines) == 1
        assert len((output.parent / "curve.csv").read_text().splitlines()) == 1 + 9
    one, two = (Checkpoint.read(output).model for output in outputs)
    for key, value in one.items():
        torch.testing.assert_close(two[key], value, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_stop_request_to_two_processes(tmp_path, job):
    """SIGUSR1 stops both at the same step, and the state is saved."""
    long = job.finetune.optim.model_copy(update={"epochs": 400})
    job = job.model_copy(update={"finetune": job.finetune.model_copy(update={"optim": long})})
    shards = make_shards(tmp_path / "shards", [0, 1] * 6)
    output = tmp_path / "out" / "checkpoint.pt"
    arguments = command(job, shards, output, processes=2)
    log = tmp_path / "log"
    with (
        log.open("w") as file,
        subprocess.Popen(arguments, env=ENVIRONMENT, stderr=file) as process,
    ):
        record = output.parent / "run.jsonl"
        while not record.exists() or '"metrics"' not in record.read_text():
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
        process.send_signal(signal.SIGUSR1)
        assert process.wait(60) == 128 + signal.SIGUSR1
    assert "stopped at step" in log.read_text()
    saved = torch.load(output.parent / "state" / "last.pt", weights_only=True)
    assert 0 < saved["step"] < 600
    assert not output.exists()


def test_an_error_is_one_line(tmp_path, job):
    three = job.model_copy(update={"targets": ("only",)})
    shards = make_shards(tmp_path / "shards", [0, 1] * 6)
    arguments = command(three, shards, tmp_path / "out" / "checkpoint.pt", processes=2)
    done = subprocess.run(arguments, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    (line,) = {*done.stderr.splitlines()}
    assert line.startswith("svfap finetune: error: the clips have 2 classes, the head 1 (only)")
