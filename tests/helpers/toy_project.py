"""A user's project of toy videos, and Snakemake in it."""

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
OPTIM = {"epochs": 4, "warmup_epochs": 1, "batch_size": 4, "lr": 0.05}
LABELS = {  # as users call classes, and as nobody should call them
    "happy": '<script>alert(1)</script>, "it\'s"',
    "surprise": "-50%_{x} & $(touch pwned)\\n|#~^",
}
CONFIG = {
    "datasets": {
        "toy": {"csv": "my videos.csv", "folds": 2},
        "faces": {"csv": "unlabelled.csv", "task": "unlabelled", "folds": 2},
    },
    "crop": {"every": 12, "max_side": 160, "max_rejects": 0.5},
    "model": {
        "image_size": 32,
        "patch_size": 8,
        "num_frames": 8,
        "dim": 24,
        "heads": 2,
        "depths": [1, 2, 2],
        "bottleneck_tokens": 2,
        "decoder_dim": 16,
        "decoder_heads": 2,
        "decoder_depth": 1,
    },
    "pretrain": {"datasets": ["faces"], "optim": OPTIM},
    "finetune": {"rand_augment": "", "optim": OPTIM},
}


def snakemake(
    folder: Path, *arguments: str, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run Snakemake in a project, in a shell in which no environment is activated."""
    environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
    environment["PATH"] = os.defpath
    return subprocess.run(
        command(folder, *arguments), check=check, env=environment, capture_output=True, text=True
    )


def command(folder: Path, *arguments: str) -> list[str]:
    program = str(Path(sys.executable).parent / "snakemake")
    base = ("--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder), "--cores", "2")
    config = ("--configfile", str(folder / "toy.yaml"))
    return [program, *base, *config, "--rerun-incomplete", *arguments]


def kill_stage(folder: Path, stage: str) -> None:
    """Send SIGKILL to a stage's processes in a project; other projects on this machine go on."""
    found = subprocess.run(
        ["pgrep", "-f", f"svfap.* {stage} "], capture_output=True, text=True, check=True
    )
    ours = [int(pid) for pid in found.stdout.split() if works_in(folder, pid)]
    assert ours, f"no process of {stage} in {folder}"
    for process in ours:
        with contextlib.suppress(ProcessLookupError):  # it ended with the process that started it
            os.kill(process, signal.SIGKILL)


def works_in(folder: Path, process: str) -> bool:
    """Whether a process that still exists has a folder as its working directory."""
    try:
        return Path(f"/proc/{process}/cwd").samefile(folder)
    except OSError:
        return False


def write_project(folder: Path, videos) -> None:
    """Write a user's folder: two lists, a configuration, three files that are no face videos."""
    with (folder / "my videos.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label", "subject"])
        for (subject, label), path in videos.items():
            rows.writerow([path, LABELS[label], f"s{subject}; $(touch pwned), <b>'&{{x}}_%\\"])
        rows.writerow(["empty.mp4", LABELS["happy"], "s0"])
        rows.writerow(["text.mp4", LABELS["happy"], "s1"])
        rows.writerow(["missing.mp4", LABELS["happy"], "s2"])
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("this is no video")
    for name in ("empty.mp4", "text.mp4"):  # the record of a crop holds the date of its video
        os.utime(folder / name, (0, 0))
    with (folder / "unlabelled.csv").open("w") as file:
        file.write("path\n" + "".join(f"{path}\n" for path in list(videos.values())[:4]))
    (folder / "toy.yaml").write_text(yaml.safe_dump(CONFIG))


def changed(folder: Path, **changes) -> None:
    """Write the configuration with some keys changed, `a__b` for `a.b`."""
    config = json.loads(json.dumps(CONFIG))
    for path, value in changes.items():
        *parents, key = path.split("__")
        section = config
        for parent in parents:
            section = section.setdefault(parent, {})
        section[key] = value
    (folder / "toy.yaml").write_text(yaml.safe_dump(config))


def planned(folder: Path, *, root: Path = ROOT, arguments: Sequence[str] = ()) -> dict[str, int]:
    """Return rule -> number of jobs that a run would start."""
    done = snakemake(folder, "--dry-run", "--snakefile", str(root / "Snakefile"), *arguments)
    lines = done.stdout.split("Job stats:")[-1].splitlines() if "Job stats:" in done.stdout else []
    jobs = [line.split() for line in lines if len(line.split()) == 2]
    return {name: int(count) for name, count in jobs if count.isdigit()}
