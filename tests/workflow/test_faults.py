"""Full disks, damage and other people's runs: one line, nothing corrupt, and the run resumes."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.crashing_video import CrashingPath
from helpers.file_systems import enlarge, read_only, small_disk
from helpers.tiny_trainer import draws
from helpers.toy_shards import make_shards

from svfap.config import CropConfig, OptimConfig, TrainingMachine
from svfap.errors import SvfapError
from svfap.faces.crop_videos import VideoToCrop, crop_videos
from svfap.shards.store import ClipStore
from svfap.training.checkpoint import Checkpoint
from svfap.training.distributed import Ranks
from svfap.training.loader import Loader
from svfap.video.facevideo import encode_jpeg, write_face_video

pytestmark = [pytest.mark.faults, pytest.mark.slow]

PRETRAIN = {
    "seed": 0,
    "model": {
        "image_size": 32,
        "patch_size": 8,
        "num_frames": 8,
        "dim": 64,
        "heads": 2,
        "depths": [1, 2, 2],
        "bottleneck_tokens": 2,
        "decoder_dim": 16,
        "decoder_heads": 2,
        "decoder_depth": 1,
    },
    "pretrain": {
        "datasets": ["x"],
        "stride": 1,
        "optim": {"epochs": 4, "batch_size": 4, "warmup_epochs": 1},
    },
}


def stage(*arguments: object) -> tuple[int, str]:
    """Run a stage; return its exit status and standard error."""
    command = [sys.executable, "-m", "svfap", *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    return done.returncode, done.stderr


def refused(outcome: tuple[int, str], message: str) -> None:
    code, error = outcome
    assert code == 2, error
    assert message in error.splitlines()[-1]
    assert "Traceback" not in error


def face_clips(folder: Path) -> Path:
    """Write face clips of 1.4 MB, in the format of stage `crop`."""
    (folder / "faces").mkdir(parents=True)
    with (folder / "clips.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(
            ["key", "path", "subject", "group", "target", "frames", "fps", "start", "crop"]
        )
        for number in range(5):
            noise = np.random.default_rng(number).integers(0, 255, (12, 160, 160, 3))
            jpegs = [encode_jpeg(frame.astype(np.uint8), quality=92) for frame in noise]
            write_face_video(folder / f"faces/{number}.mkv", jpegs, fps=25, size=160)
            table.writerow([number, f"faces/{number}.mkv", "", number, "0", 12, 25, 0, "{}"])
    return folder / "clips.csv"


def manifest(path: Path, videos: list[Path]) -> Path:
    rows = [f"v{number},{video},p0,,v{number}," for number, video in enumerate(videos)]
    path.write_text("\n".join(["key,path,part,subject,group,target", *rows]) + "\n")
    return path


def test_a_disk_that_fills_up_while_faces_are_cropped(tmp_path, toy_videos):
    videos = [*toy_videos.values()][:4]
    table = manifest(tmp_path / "manifest.csv", videos)
    with small_disk(tmp_path / "small", 250_000) as disk:
        output = disk / "crops" / "clips.csv"
        call = (
            "crop",
            "--config",
            "{}",
            "--manifest",
            table,
            "--part",
            "p0",
            "--workers",
            "1",
            "--output",
            output,
        )
        refused(stage(*call), "No space left on device")
        assert not output.exists()
        done = {path: path.stat().st_mtime_ns for path in disk.glob("crops/faces/*.json")}
        assert 0 < len(done) < 4
        enlarge(disk, 10**8)
        assert stage(*call)[0] == 0
        assert {path: path.stat().st_mtime_ns for path in done} == done
        assert len(output.read_text().splitlines()) == 5
        assert not [*disk.rglob("*.partial")]


def test_a_disk_that_fills_up_while_shards_are_written(tmp_path):
    clips = face_clips(tmp_path / "crops")
    with small_disk(tmp_path / "small", 10**6) as disk:
        index = disk / "index.parquet"
        call = ("shard", "--config", "{}", "--clips", clips, "--output", index)
        refused(stage(*call), f"{index}: No space left on device; make room, then the same command")
        assert not index.exists()
        enlarge(disk, 10**8)
        assert stage(*call)[0] == 0
        store = ClipStore([index])
        assert [store.frames(clip, range(12)).shape for clip in range(5)] == [(12, 160, 160, 3)] * 5
        assert {path.name for path in disk.iterdir()} == {
            "index.parquet",
            "000000.tar",
            "index.jsonl",
            "run.jsonl",
            "tars",
        }


@pytest.mark.long
def test_a_disk_that_fills_up_while_a_state_is_saved(tmp_path):
    shards = make_shards(tmp_path / "shards", [0, 1] * 8)
    call = ("pretrain", "--config", json.dumps(PRETRAIN), "--machine", '{"save_minutes": 1e-6}')
    call += ("--shards", shards, "--output")
    assert stage(*call, tmp_path / "whole" / "checkpoint.pt")[0] == 0
    with small_disk(tmp_path / "small", 6 * 10**6) as disk:  # holds one state, and half of another
        output = disk / "checkpoint.pt"
        refused(stage(*call, output), "No space left on device; make room, then the same command")
        assert {path.name for path in disk.rglob("*.pt*")} == {"previous.pt"}
        enlarge(disk, 10**8)
        code, message = stage(*call, output)
        assert code == 0
        assert "resuming at step 1" in message
        wanted = Checkpoint.read(tmp_path / "whole" / "checkpoint.pt").model
        made = Checkpoint.read(output).model
        assert all((made[name] == wanted[name]).all() for name in wanted)


def test_a_folder_that_cannot_be_written(tmp_path):
    clips = face_clips(tmp_path / "crops")
    (tmp_path / "data").mkdir()
    with read_only(tmp_path / "data") as data:
        call = ("shard", "--config", "{}", "--clips", clips, "--output", data / "s/index.parquet")
        refused(stage(*call), "Read-only file system; choose a folder that you may write to")


@pytest.mark.parametrize("workers", [0, 2])
def test_a_damaged_shard_stops_training_with_one_line(tmp_path, workers):
    index = make_shards(tmp_path, [0, 1] * 4)
    tar = tmp_path / "000000.tar"
    content = bytearray(tar.read_bytes())
    content[len(content) // 2 :: 997] = bytes(len(content[len(content) // 2 :: 997]))
    tar.write_bytes(content)
    machine = TrainingMachine(workers=workers)
    loader = Loader(draws(ClipStore([index])), OptimConfig(batch_size=4), Ranks(), machine)
    message = (
        r"^\S+/000000\.tar: frame \d+ of \S+ is damaged; delete \S+/index\.parquet and run again$"
    )
    with pytest.raises(SvfapError, match=message):
        [*loader.load(0)]


def test_a_video_that_brings_its_process_down_is_rejected_and_no_other(tmp_path, toy_videos):
    good = [*toy_videos.values()][:3]
    jobs = [
        VideoToCrop("a", good[0]),
        VideoToCrop("b", CrashingPath(good[0])),
        VideoToCrop("c", good[1]),
        VideoToCrop("d", good[2]),
    ]
    config = CropConfig(preset="auto", every=12)
    for workers in (1, 2):
        folder = tmp_path / str(workers)
        folder.mkdir()
        records = [*crop_videos(jobs, config, folder=folder, workers=workers)]
        assert [len(record.clips) for record in records] == [1, 0, 1, 1]
        assert records[1].reject.startswith("crashes the decoder")
