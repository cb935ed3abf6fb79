"""Training data as large as VoxCeleb2: 1.1 million clips of 200 frames in thousands of shards."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.toy_shards import make_shards

pytestmark = [pytest.mark.slow, pytest.mark.long]

CLIPS, PARTS, FRAMES, WORKERS = 1_100_000, 64, 200, 16

CODE = """
import json, multiprocessing, os, resource, sys, time, warnings
from contextlib import suppress
from functools import partial
from pathlib import Path
import torch
from svfap.augment.crop_box import multi_scale_crop
from svfap.config import OptimConfig, TrainingMachine
from svfap.shards.store import ClipStore
from svfap.training.distributed import Ranks
from svfap.training.draws import Draws
from svfap.training.loader import Loader
from svfap.video.sampling import pretrain_indices

def opened(process, suffix=""):
    count = 0
    for link in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since
            count += os.readlink(link).endswith(suffix)
    return count

def megabytes(process):
    rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
    return int(rollup.split("Pss:")[1].split()[0]) / 1024

warnings.filterwarnings("ignore", "This DataLoader will create")
folder, workers = Path(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))
began, cpu = time.perf_counter(), time.process_time()
store = ClipStore(sorted(folder.glob("part*/index.parquet")))
draw = lambda length, rng: pretrain_indices(length, 16, 4, rng)
draws = Draws(store, draw, partial(multi_scale_crop, min_side=0.66), size=16, seed=0)
ranks, machine = Ranks(0, 1, torch.device("cpu")), TrainingMachine(workers=workers)
loading = Loader(draws, OptimConfig(batch_size=256), ranks, machine).load(0)
next(loading)
first = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu}
children = [child.pid for child in multiprocessing.active_children()]
most = 0
for _ in range(80):  # 1,280 clips in each process
    next(loading)
    most = max(most, *(opened(child, ".tar") for child in children))
own, loaders = megabytes("self"), [*map(megabytes, children)]
began = time.process_time()
facts = {"clips": len(store), "fps": store.fps, "crop": store.crop, "targets": store.targets.shape}
print(json.dumps(first | facts | {
    "most_open": most, "own_open": opened("self"), "loaders": len(children),
    "own_megabytes": own, "loader_megabytes": max(loaders), "all_megabytes": own + sum(loaders),
    "facts_seconds": time.process_time() - began,
}))
"""


def write_shards(folder: Path, form: str, shards: int) -> None:
    """Write indexes of many shards; the shards of a part are links to one tar of four clips."""
    table = pq.read_table(make_shards(folder / "few", [0] * 4, frames=FRAMES, side=16, form=form))
    clips, files = CLIPS // PARTS + 1, shards // PARTS + 1
    for number in range(PARTS):
        part = folder / f"part{number:02d}"
        part.mkdir()
        shutil.copy(folder / "few" / "000000.tar", part / "000000.tar")
        for name in range(1, files):
            os.link(part / "000000.tar", part / f"{name:06d}.tar")
        columns = {
            "key": [f"id{number:05d}-abcdefghijk-{clip:05d}" for clip in range(clips)],
            "shard": [f"{clip * files // clips:06d}.tar" for clip in range(clips)],
        }
        index = table.take(np.arange(clips) % 4)
        for name, values in columns.items():
            field = table.schema.field(name)
            index = index.set_column(table.schema.names.index(name), field, pa.array(values))
        pq.write_table(index, part / "index.parquet", write_page_checksum=True)


@pytest.mark.parametrize(("form", "shards"), [("jpeg", 6_000), ("raw", 66_000)])
def test_training_starts_soon_within_the_usual_limit_of_files(tmp_path, form, shards, capsys):
    write_shards(tmp_path, form, shards)
    command = [sys.executable, "-c", CODE, str(tmp_path), str(WORKERS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    with capsys.disabled():
        print(f"\n{form}, {shards} shards:", found)
    assert found["clips"] >= CLIPS
    assert found["loaders"] == WORKERS
    assert found["cpu_seconds"] < 25
    assert 200 < found["most_open"] <= 256  # a quarter of the limit
    assert found["own_open"] < 150
    assert found["loader_megabytes"] < 400
    assert found["all_megabytes"] < 5000
    assert found["facts_seconds"] < 10
