"""Kill single jobs again and again: `python tests/job_kills.py --kills 200 [--folder F]`.

A system that runs short of memory kills a process of a job with SIGKILL; the workflow lives on and
starts the job again. Here that happens at random moments. The result must have the same bytes as
that of an unbroken run. `tests/faults.py` kills the whole workflow,
which costs far more time for each kill.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from faults import RULES, arguments, compare, two_projects
from helpers.toy_project import command, works_in


def kill_jobs(folder: Path, kills: int, seconds: dict[str, float], *, seed: int) -> Counter[str]:
    """Run a project to its end while its jobs are killed; return rule -> number of kills.

    Args:
        folder: the project.
        kills: how many there should be, shared by all rules but `cost`, whose job is too short.
        seconds: rule -> how long its shortest job takes. A kill comes within most of that time.
        seed: of the moments.

    Raises:
        AssertionError: the workflow failed for another reason than a kill.
    """
    draw, done = random.Random(seed), Counter[str]()
    most = -(-kills // (len(RULES) - 1))
    words = command(folder, "--retries", str(kills))
    with (
        (folder / "jobs.log").open("w") as log,
        subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True) as workflow,
    ):
        ends: dict[int, float] = {}  # process -> when it is killed
        while workflow.poll() is None:
            time.sleep(0.02)
            for process, rule in _processes(folder, workflow.pid).items():
                if process not in ends:
                    # The log's times have Snakemake's own in them: a job is over before.
                    ends[process] = time.monotonic() + 0.6 * draw.random() * seconds[rule]
                allowed = done.total() < kills and done[rule] < most
                if allowed and time.monotonic() >= ends[process]:
                    os.kill(process, signal.SIGKILL)
                    done[rule] += 1
                    ends[process] = float("inf")
    assert workflow.returncode == 0, (folder / "jobs.log").read_text()[-3000:]
    return done


def _processes(folder: Path, session: int) -> dict[int, str]:
    """Return process -> rule, for the processes of stages that run in a project."""
    listed = subprocess.run(
        ["ps", "-s", str(session), "-o", "pid=,args="], capture_output=True, text=True, check=False
    )
    found = {}
    for line in listed.stdout.splitlines():
        pid, _, text = line.strip().partition(" ")
        words = text.split()
        # A shell that starts a stage has the same words, but later.
        stages = [word for word in words[:8] if word in RULES]
        if "python" in words[0] and "svfap" in text and stages and works_in(folder, pid):
            found[int(pid)] = stages[0]
    return found


def main() -> int:
    """Run the two projects, and print what came of it."""
    chosen = arguments("Kill the jobs of the pipeline again and again.", kills=200)
    seconds = two_projects(chosen.folder)
    done = kill_jobs(chosen.folder / "killed", chosen.kills, seconds, seed=chosen.seed)
    print(f"{done.total()} kills: {dict(done)}")
    differing = compare(chosen.folder)
    return int(bool(differing or done.total() < chosen.kills))


if __name__ == "__main__":
    sys.exit(main())
