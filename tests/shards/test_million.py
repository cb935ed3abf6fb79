"""A listing as long as VoxCeleb2's: time grows linearly, memory holds little but the keys."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from svfap.datasets.dataset import read_manifest
from svfap.datasets.voxceleb2 import PARTS

CODE = """
import sys, time
from pathlib import Path
from svfap.config import DatasetConfig
from svfap.stages import download

folder = Path(sys.argv[1])
began = time.process_time()
download.run(DatasetConfig(allow_incomplete=True), dataset="VoxCeleb2",
             output=folder / "manifest.csv", log=lambda _: None)
status = Path("/proc/self/status").read_text()  # getrusage would count the parent's memory too
peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
print(time.process_time() - began, peak)
"""


def write_listing(folder: Path, rows: int) -> None:
    """Write this many paths of clips, with speakers and videos in VoxCeleb2's proportions."""
    with (folder / "clips.txt").open("w") as file:
        for number in range(rows):
            speaker, video = number // 182, number // 7
            file.write(f"dev/mp4/id{speaker:05d}/{video:011d}/{number % 7 + 1:05d}.mp4\n")


def prepare(folder: Path, rows: int) -> tuple[float, float]:
    """Return CPU seconds and peak megabytes of the stage."""
    folder.mkdir()
    write_listing(folder, rows)
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(folder)], capture_output=True, text=True, check=True
    )
    seconds, megabytes = map(float, done.stdout.split())
    return seconds, megabytes


def test_a_listing_grows_linearly(tmp_path):
    few, many = prepare(tmp_path / "few", 30_000), prepare(tmp_path / "many", 120_000)
    assert many[0] < 8 * few[0]
    assert many[1] - few[1] < 180
    counts = Counter(clip.part for clip in read_manifest(tmp_path / "many" / "manifest.csv"))
    assert {*counts} == {*PARTS}
    assert sum(counts.values()) == 120_000


@pytest.mark.long
def test_a_million_clips_take_less_than_a_minute_and_two_gigabytes(tmp_path):
    seconds, megabytes = prepare(tmp_path / "all", 1_100_000)
    assert seconds < 60
    assert megabytes < 2000
