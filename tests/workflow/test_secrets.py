"""A real run with planted secrets: nothing that it writes or prints shows one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from helpers.http_server import running, serve_files
from helpers.toy_project import CONFIG, command

SECRETS = {  # variable -> its planted value
    "MLFLOW_TRACKING_TOKEN": "planted-mlflow-token",
    "HF_TOKEN": "planted-hub-token",
    "AWS_SECRET_ACCESS_KEY": "planted-aws-key",
}
LOGIN, PASSWORD, SIGNATURE = "planted-tracking", "planted-download", "planted-signature"


def write_project(folder: Path, videos: dict[tuple[int, str], Path], server: str) -> None:
    """Write a list of videos at signed addresses, one of them missing, and a short training."""
    address = f"{server.replace('http://', f'http://ann:{PASSWORD}@')}/{{}}?sig={SIGNATURE}"
    rows = [
        f"{address.format(f'{number}.mp4')},{label},s{subject}"
        for number, (subject, label) in enumerate(videos)
    ]
    rows.append(f"{address.format('missing.mp4')},{next(iter(videos))[1]},s0")
    (folder / "my videos.csv").write_text("\n".join(["path,label,subject", *rows]) + "\n")
    optim = CONFIG["finetune"]["optim"] | {"epochs": 1, "warmup_epochs": 0}
    config = {
        "datasets": {"toy": {"csv": "my videos.csv", "folds": 2}},
        "crop": CONFIG["crop"],
        "model": CONFIG["model"],
        "finetune": {"init": "scratch", "rand_augment": "", "optim": optim},
    }
    (folder / "toy.yaml").write_text(yaml.safe_dump(config))


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(1800)
def test_nothing_that_a_run_writes_or_prints_shows_a_secret(tmp_path, toy_videos, monkeypatch):
    """The run, its report and `sync-tracking`; the server of the run does not answer."""
    folder = tmp_path / "project"
    folder.mkdir()
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://ann:{LOGIN}@127.0.0.1:9")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    with running() as server:
        paths = enumerate(toy_videos.values())
        files = {f"{number}.mp4?sig={SIGNATURE}": path.read_bytes() for number, path in paths}
        server.script = serve_files(files)
        write_project(folder, toy_videos, server.url)
        said = run(command(folder, "--printshellcmds"), folder)
    assert "does not answer" in said
    assert "127.0.0.1" in (folder / "data/raw/toy/failed.csv").read_text()
    said += run(command(folder, "--report", "report.html"), folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///results/mlflow.db")
    said += run([sys.executable, "-m", "svfap", "sync-tracking"], folder)
    assert (folder / "results/mlflow.db").stat().st_size > 10**5
    # The user's own list holds the addresses.
    files = [p for p in tmp_path.rglob("*") if p.is_file() and p.name != "my videos.csv"]
    assert {".jsonl", ".db", ".html", ".md", ".csv", ".log"} <= {path.suffix for path in files}
    assert any(".snakemake" in path.parts for path in files)
    for secret in (*SECRETS.values(), LOGIN, PASSWORD, SIGNATURE):
        assert secret not in said
        shown = [path for path in files if secret.encode() in path.read_bytes()]
        assert not shown, f"{secret} in {shown}"


def run(words: list[str], folder: Path) -> str:
    """Run a command in the project; return what it printed."""
    done = subprocess.run(
        words, cwd=folder, env=os.environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr
