"""Fill the disk and flip bytes: `python tests/damage.py --fills 50 --flips 20 [--seed 0]`.

A small project of synthetic videos runs once without interruption. A copy runs on a disk that is
too small again and again: the disk grows by a random amount, the workflow is started again, until
it finishes. It must write the same bytes. Then a byte of one intermediate file is flipped, and the
rule that reads it runs again, with all that follows. Either it stops with one line, or the tables
must be the same. `tests/faults.py` kills the workflow. Mounting a disk needs root.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

from faults import contents, unbroken
from helpers.file_systems import enlarge, small_disk
from helpers.toy_project import command, write_project
from helpers.toy_videos import render_toys

KINDS = {  # files -> the rule that reads them
    "data/raw/*/manifest.csv": "crop",
    "data/crops/**/faces/*.json": "crop",
    "data/crops/**/faces/*.mkv": "shard",
    "data/crops/**/clips.csv": "shard",
    "data/crops/**/quality.parquet": "review",
    "data/crops/**/rejects.csv": "tabulate",
    "data/shards/**/*.tar": "finetune",
    "data/shards/**/index.parquet": "finetune",
    "results/pretrain/checkpoint.pt": "finetune",
    "results/finetune/**/checkpoint.pt": "evaluate",
    "results/evaluate/**/predictions.parquet": "tabulate",
    "results/tables/costs.csv": "tabulate",
    "results/**/curve.csv": "tabulate",
    "results/**/run.jsonl": "tabulate",
}
SMALLEST = 200_000  # bytes; on a smaller disk, Snakemake itself cannot start


def fill(folder: Path, wanted: dict[str, str], videos, *, fills: int, seed: int) -> list[str]:
    """Run a project on a disk that is full about `fills` times; return what went wrong.

    Args:
        folder: where to mount the disk.
        wanted: path -> digest of all that the unbroken run has made.
        videos: the toy videos.
        fills: how often the disk is to be full.
        seed: seed of the amounts by which the disk grows.
    """
    draw, wrong, full = random.Random(seed), [], 0
    total = int(1.3 * du(folder.parent / "unbroken"))
    size = SMALLEST
    with small_disk(folder, size) as disk:
        write_project(disk, videos)
        while True:
            done = subprocess.run(command(disk), capture_output=True, text=True, check=False)
            if done.returncode == 0:
                break
            full += 1
            wrong += [f"fill {full}: {line}" for line in unexplained(done.stderr)]
            size += int(draw.uniform(0.2, 1.8) * (total - SMALLEST) / fills)
            enlarge(disk, size)
            subprocess.run([*command(disk), "--unlock"], check=False, capture_output=True)
        made = contents(disk)
        differing = [name for name in wanted.keys() | made if wanted.get(name) != made.get(name)]
    print(f"the disk was full {full} times; {len(differing)} files differ: {sorted(differing)}")
    return wrong + [f"after {full} fills: {name} differs" for name in differing]


def du(folder: Path) -> int:
    """Return the bytes of all files in a folder, rounded up to pages as a disk in memory does."""
    return sum(-(-p.stat().st_size // 4096) * 4096 for p in folder.rglob("*") if p.is_file())


def unexplained(log: str) -> Iterator[str]:
    """Yield tracebacks of a stage; a stage says in one line that the disk is full."""
    for part in log.split("Traceback (most recent call last)")[1:]:
        # Snakemake has tracebacks of its own if it cannot write its notes.
        if "/svfap/__main__.py" in part:
            yield part.strip().splitlines()[-1]


def flip(project: Path, wanted: dict[str, str], kind: str, *, seed: int) -> str:
    """Flip a byte in a finished project, and run the rule that reads it.

    Returns:
        "harmless", "detected: MESSAGE", or "WRONG: ..." if tables differ from the wanted ones or a
        bug shows.
    """
    draw = random.Random(seed)
    path = draw.choice(sorted(path for path in project.glob(kind) if path.stat().st_size))
    content, date = bytearray(path.read_bytes()), path.stat().st_mtime_ns
    place = draw.randrange(len(content))
    content[place] ^= 1 << draw.randrange(8)
    path.write_bytes(content)
    os.utime(path, ns=(date, date))
    words = command(project, "--forcerun", KINDS[kind])
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    where = f"{path.relative_to(project)} byte {place}"
    if done.returncode:
        said = [line.strip() for line in done.stderr.splitlines() if ": error: " in line]
        bug = [*unexplained(done.stderr)] or not said
        return f"WRONG: {where}: {bug}" if bug else f"detected: {where}: {said[-1]}"
    found = tables(project)
    differing = {name for name, digest in wanted.items() if found.get(name) != digest}
    return f"WRONG: {where}: {sorted(differing)} differ" if differing else f"harmless: {where}"


def tables(folder: Path) -> dict[str, str]:
    """Return path -> digest of the tables of a project."""
    return {k: v for k, v in contents(folder).items() if k.startswith("results/tables/")}


def main() -> int:
    """Run the projects, and print the result."""
    parser = argparse.ArgumentParser(description="Fill the disk and flip bytes.")
    parser.add_argument("--fills", type=int, default=50)
    parser.add_argument("--flips", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="an empty folder to work in")
    chosen = parser.parse_args()
    os.environ["MLFLOW_TRACKING_URI"] = "off"
    folder = chosen.folder or Path(tempfile.mkdtemp())
    videos = render_toys(folder / "videos")
    project = folder / "unbroken"
    project.mkdir()
    write_project(project, videos)
    unbroken(project)
    wrong, outcomes = [], Counter()
    if chosen.fills:
        wrong += fill(
            folder / "disk", contents(project), videos, fills=chosen.fills, seed=chosen.seed
        )
    # Tables can name the project's folder, so damage is done in the same folder again and again.
    kept, wanted = folder / "kept", tables(project)
    shutil.copytree(project, kept, symlinks=True)
    for number, kind in enumerate(islice(cycle(KINDS), chosen.flips)):
        outcome = flip(project, wanted, kind, seed=chosen.seed + number)
        print(outcome, flush=True)
        outcomes[outcome.partition(":")[0]] += 1
        wrong += [outcome] * outcome.startswith("WRONG")
        shutil.rmtree(project)
        shutil.copytree(kept, project, symlinks=True)
    print(f"{chosen.flips} flips: {dict(outcomes)}; {len(wrong)} wrong: {wrong}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
