"""CPU seconds that commands take beside their work: `python -m benchmarks.startup`.

It measures whole process trees: imports, a wrong argument, and `svfap predict` on a video of 3
seconds. `--full` adds a run of the workflow on 36 videos in 5 folds.
"""

import csv
import ctypes
import json
import logging
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import cycle, islice, product
from pathlib import Path
from typing import Any

import yaml

from benchmarks.common import Headline, make_parser, report, spread
from svfap.config import FinetuneConfig, OptimConfig
from svfap.config.stage_sections import FinetuneJob
from svfap.config.yaml_file import load
from svfap.demo.expression import EXPRESSIONS
from svfap.demo.videos import frames, render_video
from svfap.video.encode import write_video

ROOT = Path(__file__).parents[1]
ROUNDS = 3
FPS, SECONDS = 25, 3
VIDEOS, FOLDS = 36, 5
PR_SET_CHILD_SUBREAPER = 36  # from Linux's prctl.h
IMPORTS = {
    "import torch": "torch",
    "import of evaluate": "svfap.stages.evaluate",
    "import of pretrain": "svfap.stages.pretrain",
    "import of finetune": "svfap.stages.finetune",
    "import of predict": "svfap.use.predictor",
    "import of cost": "svfap.stages.cost",
}
WRONG = {
    "wrong flag of finetune": ("finetune", "--wrong"),
    "predict without a model": ("predict", "video.mp4"),
}


def main() -> None:
    """Measure and report."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    given = make_parser(__doc__ or "").parse_args()
    # Processes that outlive the command, such as the writer to MLflow, become ours: count them too.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    python = [sys.executable]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [_row(what, [*python, "-c", f"import {module}"]) for what, module in IMPORTS.items()]
        rows += [
            _row(what, [*python, "-m", "svfap", *words], status=2) for what, words in WRONG.items()
        ]
        rows.append(_row(f"predict on {SECONDS} s", _predict(folder), rounds=1))
        if given.full:
            rows.append(_row(f"{VIDEOS} videos, {FOLDS} folds", _workflow(folder), rounds=1))
    torch, predict = (
        next(row["cpu_s"] for row in rows if row["name"].startswith(name))
        for name in ("import torch", "predict on")
    )
    headline = Headline("predict against import torch", predict, "CPU s", torch, predict / torch)
    report(headline, rows, path=given.json)


def _row(
    name: str, command: Sequence[str], *, rounds: int = ROUNDS, status: int = 0
) -> dict[str, Any]:
    """Return the CPU seconds of a command and of all processes that it starts."""
    taken = []
    for _ in range(rounds):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != status:
            raise SystemExit(f"{name}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
        _wait_for_all()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    seconds = spread(taken)
    return {"name": name, "cpu_s": seconds["median"], "least": seconds["least"]}


def _wait_for_all() -> None:
    """Wait until no process that the command started is left."""
    try:
        while True:
            os.wait()
    except ChildProcessError:
        return


def _predict(folder: Path) -> list[str]:
    """Make a video and a model of the demo's size; return the command that scores the video."""
    from svfap.models import VideoModel
    from svfap.training.checkpoint import Checkpoint

    video, checkpoint = folder / "video.mp4", folder / "checkpoint.pt"
    images = cycle([frame.image for frame in frames(0, "happy")])  # a take lasts a second
    write_video(video, islice(images, FPS * SECONDS), fps=FPS)
    config = load(ROOT / "config" / "config.yaml")
    job = FinetuneJob(
        seed=0,
        task="classification",
        targets=("calm", "happy"),
        stride=3,
        model=config.model,
        finetune=FinetuneConfig(),
    )
    model = VideoModel(config.model, 2).state_dict()
    Checkpoint(model, job, crop={"preset": "auto"}, fps=FPS).write(checkpoint)
    command = [sys.executable, "-m", "svfap", "predict", str(video)]
    return [*command, "--checkpoint", str(checkpoint), "--output", str(folder / "scores")]


def _workflow(folder: Path) -> list[str]:
    """Make a project of own videos; return the command that runs it."""
    labels, rows = [*EXPRESSIONS][:3], []
    for subject, label in product(range(VIDEOS // len(labels)), labels):
        path = folder / f"{subject}-{label}.mp4"
        render_video(path, subject, label)
        rows.append((path, label, subject))
    with (folder / "videos.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "label", "subject"), *rows])
    model = load(ROOT / "config" / "config.yaml").model
    optim = OptimConfig(epochs=20, warmup_epochs=1, batch_size=8)
    finetune = {"init": "scratch", "rand_augment": "", "optim": json.loads(optim.model_dump_json())}
    config = {
        "datasets": {"own": {"csv": "videos.csv", "folds": FOLDS, "finetune": {"stride": 3}}},
        "pretrain": {"datasets": []},
        "model": json.loads(model.model_dump_json()),
        "finetune": finetune,
    }
    (folder / "own.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    program = str(Path(sys.executable).parent / "snakemake")
    place = ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder), "--cores", "2"]
    return [program, *place, "--configfile", str(folder / "own.yaml")]


if __name__ == "__main__":
    main()
