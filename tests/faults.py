"""Kill the pipeline again and again: `python tests/faults.py --kills 20 [--seed 0] [--folder F]`.

A small project of synthetic videos runs once without interruption. A second copy is killed at
random moments, spread evenly over all rules: SIGKILL ends its whole process group. It is unlocked
and started again until it finishes. Both must write the same bytes, and no finished job may run
twice.
"""

import argparse
import hashlib
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import cycle, islice
from pathlib import Path

from helpers.toy_project import command, write_project
from helpers.toy_videos import render_toys

STARTED = re.compile(r"^\[(.+)\]\n(?:local)?rule (\w+):\n((?:    .*\n)+)", re.MULTILINE)
FINISHED = re.compile(r"^\[(.+)\]\nFinished jobid: (\d+) ", re.MULTILINE)
OWN_OUTPUT = "--printshellcmds"  # Snakemake's own output, which has the moment each job starts
RULES = (
    "cost", "download", "crop", "shard", "baseline", "review", "pretrain", "finetune", "evaluate",
    "tabulate",
)  # fmt: skip
# Times, speeds and addresses are each run's own, and so is what shows them.
OWN = re.compile(
    r".*\.jsonl|(runs|summary)\.html|report\.html|curve\.csv|curves\.png|.*\.(log|tsv|db|lock)"
)


@dataclass(frozen=True)
class Job:
    """A job as Snakemake's log tells of it; `seconds` is None if it did not finish."""

    rule: str
    outputs: tuple[str, ...]
    seconds: float | None


@dataclass
class Tally:
    """What was done to a project.

    Attributes:
        kills: how often the workflow was killed.
        hit: rule -> how many of its jobs were running then.
        repeated: outputs of jobs that ran although they had finished.
        finished: path -> inode and time of every output of a job that has finished.
    """

    kills: int = 0
    hit: Counter[str] = field(default_factory=Counter)
    repeated: list[str] = field(default_factory=list)
    finished: dict[Path, tuple[int, int]] = field(default_factory=dict)

    def account(self, log: str, folder: Path, *, killed: bool) -> None:
        """Add an attempt to run the workflow."""
        self.kills += killed
        for job in jobs(log):
            paths = [folder / name for name in job.outputs]
            self.repeated += [str(path) for path in paths if path in self.finished]
            if job.seconds is not None:
                self.finished |= {path: _state(path) for path in paths}
            elif killed:
                self.hit[job.rule] += 1

    @property
    def lost(self) -> int:
        """Bytes of outputs of finished jobs that were not left as they were.

        A record is no such output: MLflow's copy of it ends after the job, and says so in it.
        """
        kept = {path: state for path, state in self.finished.items() if path.suffix != ".jsonl"}
        changed = [path for path, state in kept.items() if _state(path) != state]
        return sum(path.stat().st_size for path in changed)


def jobs(log: str) -> list[Job]:
    """The jobs that were started, in order."""
    ends = {number: _time(stamp) for stamp, number in FINISHED.findall(log)}
    found = []
    for stamp, rule, text in STARTED.findall(log):
        facts = dict(line.strip().split(": ", 1) for line in text.splitlines())
        outputs = tuple(name.partition(" (")[0] for name in facts.get("output", "").split(", "))
        end = ends.get(facts["jobid"])
        if rule in RULES:
            found.append(Job(rule, outputs, None if end is None else end - _time(stamp)))
    return found


def kill_and_go_on(
    folder: Path, targets: Iterable[str], seconds: dict[str, float], *, seed: int
) -> Tally:
    """Run a project to its end through kills.

    Args:
        folder: the project.
        targets: rules; a kill each, while one of its jobs is running. What a rule's jobs were too
            short for is made up for by the last rule, which is killed in its first half.
        seconds: rule -> how long its shortest job takes.
        seed: of the moments, which depend on nothing else but the job and the attempt.

    Raises:
        AssertionError: the workflow failed for another reason than a kill.
    """
    left, tally = Counter(targets), Tally()
    killed = True
    while killed:
        log = folder / f"attempt{tally.kills}.log"
        killed = _attempt(folder, log, left, seconds, f"{seed} {tally.kills}")
        tally.account(log.read_text(), folder, killed=killed)
        if killed:
            subprocess.run([*command(folder), "--unlock"], check=True, capture_output=True)
    return tally


def _attempt(
    folder: Path, log: Path, left: Counter[str], seconds: dict[str, float], seed: str
) -> bool:
    """Run until a wanted job is at a random moment of its time, then kill; whether that was."""
    moment: dict[tuple[str, ...], float] = {}
    with (
        log.open("w") as file,
        subprocess.Popen(
            command(folder, OWN_OUTPUT), stdout=file, stderr=file, start_new_session=True
        ) as workflow,
    ):
        while workflow.poll() is None:
            time.sleep(0.02)
            for job in jobs(log.read_text()):
                last = job.rule == RULES[-1]
                if job.seconds is None and (left[job.rule] or (last and left.total())):
                    share = random.Random(f"{seed} {job.outputs}").random() * (0.5 if last else 1)
                    began = moment.setdefault(job.outputs, time.monotonic())
                    if time.monotonic() >= began + share * seconds[job.rule]:
                        os.killpg(workflow.pid, signal.SIGKILL)
                        left[job.rule if left[job.rule] else left.most_common(1)[0][0]] -= 1
                        return True
    assert workflow.returncode == 0, log.read_text()[-3000:]
    return False


def unbroken(folder: Path) -> dict[str, float]:
    """Run a project once; rule -> seconds that its shortest job took."""
    done = subprocess.run(command(folder, OWN_OUTPUT), check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return durations(done.stderr)


def durations(log: str) -> dict[str, float]:
    """Rule -> seconds that its shortest job took, at least a moment."""
    seconds: dict[str, float] = {}
    for job in jobs(log):
        seconds[job.rule] = max(0.3, min(seconds.get(job.rule, 1e9), job.seconds or 0.0))
    return seconds


def contents(folder: Path) -> dict[str, str]:
    """Path -> digest of all that a run has made and that does not tell of the run itself."""
    made = [path for name in ("data", "results") for path in (folder / name).rglob("*")]
    return {
        str(path.relative_to(folder)): _digest(path, folder)
        for path in made
        if path.is_file() and not OWN.fullmatch(path.name) and "mlflow-artifacts" not in path.parts
    }


def _digest(path: Path, folder: Path) -> str:
    """A digest of the content, which may name the project's own folder."""
    content = path.read_bytes().replace(bytes(folder), b".")
    if path.suffix == ".md":  # its columns are as wide as the folder's name
        content = re.sub(rb" {2,}|-{3,}", b" ", content)
    return hashlib.sha256(content).hexdigest()


def _state(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_ino, status.st_mtime_ns


def _time(stamp: str) -> float:
    return datetime.strptime(stamp, "%a %b %d %H:%M:%S %Y").timestamp()


def arguments(description: str, *, kills: int) -> argparse.Namespace:
    """Read the command line: `kills`, which has a default, `seed` and `folder`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--kills", type=int, default=kills)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="an empty folder to work in")
    chosen = parser.parse_args()
    chosen.folder = chosen.folder or Path(tempfile.mkdtemp())
    return chosen


def two_projects(folder: Path) -> dict[str, float]:
    """Write the projects `unbroken` and `killed`, and run the first; see `unbroken`."""
    os.environ["MLFLOW_TRACKING_URI"] = "sqlite:///results/mlflow.db"
    videos = render_toys(folder / "videos")
    for name in ("unbroken", "killed"):
        (folder / name).mkdir()
        write_project(folder / name, videos)
    return unbroken(folder / "unbroken")


def compare(folder: Path) -> list[str]:
    """Print and return the files that differ between the two projects."""
    wanted, made = contents(folder / "unbroken"), contents(folder / "killed")
    differing = sorted(name for name in wanted.keys() | made if wanted.get(name) != made.get(name))
    print(f"{len(differing)} of {len(wanted)} files differ from the unbroken run: {differing}")
    return differing


def main() -> int:
    """Run the two projects, and print what came of it."""
    chosen = arguments("Kill the pipeline again and again.", kills=20)
    seconds = two_projects(chosen.folder)
    targets = islice(cycle(RULES), chosen.kills)
    tally = kill_and_go_on(chosen.folder / "killed", targets, seconds, seed=chosen.seed)
    print(f"{tally.kills} kills; running jobs hit: {dict(tally.hit)}")
    print(f"{len(tally.repeated)} finished jobs ran twice: {tally.repeated}")
    print(f"{tally.lost} bytes of finished jobs lost, of {len(tally.finished)} files")
    differing = compare(chosen.folder)
    return int(bool(tally.repeated or tally.lost or differing or tally.kills < chosen.kills))


if __name__ == "__main__":
    sys.exit(main())
