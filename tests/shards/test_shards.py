"""Shards: readable by WebDataset, random access by index, damage is detected."""

import io
import json
import os
import re
import subprocess
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
import webdataset
from helpers.toy_shards import make_shards
from PIL import Image

from svfap.config.labels import LabelNames
from svfap.errors import SvfapError
from svfap.shards.store import ClipStore
from svfap.shards.writer import Sample, write_shards
from svfap.video.facevideo import encode_jpeg


def jpeg(value):
    buffer = io.BytesIO()
    Image.fromarray(np.full((16, 16, 3), value, np.uint8)).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def samples(count, frames=5):
    for number in range(count):
        target = (float(number % 2),)
        sample = Sample(f"clip_{number}", f"group_{number // 2}", "anna", target, 25.0)
        yield sample, [jpeg(10 * number + frame) for frame in range(frames)]


@pytest.fixture
def index(tmp_path):
    path = tmp_path / "index.parquet"
    write_shards(path, samples(7), max_bytes=15_000)
    return path


def test_frames_come_back_in_any_order(index):
    store = ClipStore([index])
    assert len(store) == 7
    assert store.length(3) == 5
    frames = store.frames(3, [4, 0, 0, 2])
    assert frames.shape == (4, 16, 16, 3)
    assert frames[:, 0, 0, 0] == pytest.approx([34, 30, 30, 32], abs=1)
    assert store.targets[3] == [1.0]
    assert store.groups[3] == "group_1"


def test_shards_are_split_by_size_and_joined_by_the_store(index, tmp_path):
    assert len(list(tmp_path.glob("*.tar"))) > 1
    both = ClipStore([index, index])
    assert len(both) == 14
    assert np.array_equal(both.frames(9, [1]), both.frames(2, [1]))


def test_colours_are_rgb(tmp_path):
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 200
    buffer = io.BytesIO()
    Image.fromarray(red).save(buffer, "JPEG", quality=95)
    write_shards(
        tmp_path / "i.parquet",
        [(Sample("a", "a", "", (), 1), [buffer.getvalue()])],
        max_bytes=10**6,
    )
    assert ClipStore([tmp_path / "i.parquet"]).frames(0, [0])[0, 8, 8, 0] > 150


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_webdataset_reads_them(index, tmp_path):
    tars = [str(tar) for tar in sorted(tmp_path.glob("*.tar"))]
    found = list(webdataset.WebDataset(tars, shardshuffle=False).decode())
    assert [sample["__key__"] for sample in found] == [f"clip_{i}" for i in range(7)]
    assert found[2]["json"]["subject"] == "anna"
    assert brightness_of_video(found[2]["avi"]) == pytest.approx([20, 21, 22, 23, 24], abs=2)


def brightness_of_video(content):
    with av.open(io.BytesIO(content)) as container:
        assert container.streams.video[0].average_rate == 25
        return [frame.to_ndarray(format="rgb24").mean() for frame in container.decode(video=0)]


def test_a_video_can_be_sought(index, tmp_path):
    with tarfile.open(tmp_path / "000000.tar") as tar:
        file = tar.extractfile("clip_1.avi")
        with av.open(io.BytesIO(file.read())) as container:
            container.seek(3, stream=container.streams.video[0])
            frame = next(container.decode(video=0))
    assert frame.to_ndarray(format="rgb24").mean() == pytest.approx(13, abs=2)


@pytest.mark.parametrize("form", ["jpeg", "raw"])
def test_hugging_face_reads_them(tmp_path, form):
    """All samples have the same columns, although clips differ in length."""
    frames = {"a": [jpeg(9)] * 3, "b": [jpeg(30)] * 5}
    written = [(Sample(key, key, "anna", (1.0,), 25.0), frames[key]) for key in frames]
    write_shards(tmp_path / "index.parquet", written, max_bytes=10**6, form=form)
    code = f"""
import sys
try:
    import datasets
except ImportError:
    sys.exit("no datasets")
found = datasets.load_dataset(
    "webdataset", data_files="{tmp_path}/*.tar", split="train", cache_dir="{tmp_path}/cache"
)
assert [row["subject"] for row in found["json"]] == ["anna", "anna"]
if "npy" in found.column_names:
    lengths = [len(video) for video in found["npy"]]
else:
    import av, io
    videos = found.cast_column("avi", datasets.Video(decode=False))["avi"]
    lengths = [len([*av.open(io.BytesIO(video["bytes"])).decode()]) for video in videos]
assert lengths == [3, 5], lengths
"""
    # Isolated: the folder `tests/datasets` would otherwise be taken for the package.
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False
    )
    if "no datasets" in done.stderr:
        pytest.skip("the package `datasets` is not installed")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("form", ["jpeg", "raw"])
def test_shards_of_earlier_versions(tmp_path, form):
    """Each frame was a file of its own in the tar."""
    earlier = ClipStore(
        [Path(__file__).parents[1] / "data/earlier_shards" / form / "index.parquet"]
    )
    now = ClipStore([make_shards(tmp_path, [0, 1], frames=5, side=12, form=form)])
    for store in (earlier, now):
        assert (len(store), store.length(1), store.fps) == (2, 5, 25)
    for indices in ([0, 1, 2, 3, 4], [4, 1, 1]):
        assert np.array_equal(earlier.frames(1, indices), now.frames(1, indices))


def test_shards_say_what_their_labels_mean(tmp_path):
    labels = LabelNames(dataset="mine", task="classification", names=("calm", "ärgerlich"))
    path = tmp_path / "index.parquet"
    sample = Sample("a", "a", "anna", (1.0,), 25.0, labels=labels)
    write_shards(path, [(sample, [jpeg(9)])], max_bytes=10**6)
    table = pq.read_table(path)
    assert table["label"].to_pylist() == ["ärgerlich"]
    assert LabelNames.of_text(table.schema.metadata[b"svfap.labels"].decode()) == labels
    with tarfile.open(tmp_path / "000000.tar") as tar:
        stored = json.load(tar.extractfile("a.json"))
    assert (stored["label"], stored["labels"]["names"]) == ("ärgerlich", ["calm", "ärgerlich"])


def test_same_samples_same_bytes(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_shards(tmp_path / name / "index.parquet", samples(3), max_bytes=10**6)
    first, second = (tmp_path / name / "000000.tar" for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()


def test_a_second_writing_leaves_no_old_tars(index, tmp_path):
    write_shards(index, samples(1), max_bytes=10**6)
    assert [tar.name for tar in tmp_path.glob("*.tar*")] == ["000000.tar"]
    assert len(ClipStore([index])) == 1


def test_a_writing_removes_what_an_interrupted_one_left(tmp_path):
    """The interrupted run had smaller shards, so it had more of them."""
    (tmp_path / "000005.tar.tmp").write_bytes(b"half a tar")
    write_shards(tmp_path / "index.parquet", samples(6), max_bytes=10**6)
    assert {path.name for path in tmp_path.iterdir()} == {"index.parquet", "000000.tar", "tars"}


def brightness(store, clip):
    return store.frames(clip, [0, 4])[:, 0, 0, 0].tolist()


def open_below(folder):
    links = (link.readlink() for link in Path("/proc/self/fd").iterdir() if link.exists())
    return sum(link.is_relative_to(folder) for link in links)


def test_few_files_are_open_at_a_time(tmp_path, monkeypatch):
    """The least recently used is closed; a reader in another thread keeps its file."""
    monkeypatch.setattr("svfap.shards.open_files.MOST_OPEN", 3)
    index = tmp_path / "index.parquet"
    write_shards(index, samples(12), max_bytes=1)
    store = ClipStore([index])
    expected = [brightness(store, clip) for clip in range(12)]
    assert open_below(tmp_path) == 2  # a third while the oldest is being replaced
    part = store.take(np.arange(6))
    with ThreadPoolExecutor(8) as pool:
        found = [*pool.map(partial(brightness, store), [*range(12)] * 40)]
    assert found == expected * 40
    assert brightness(part, 2) == expected[2]
    assert open_below(tmp_path) == 2
    del store, part
    assert open_below(tmp_path) == 0


def test_the_limit_of_open_files_is_raised_as_far_as_allowed(tmp_path):
    code = """
import resource, sys
from svfap.shards.open_files import file_limit
soft, hard = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
print(file_limit(), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""
    for limits, expected in {
        ("1024", "1024"): "256 1024 1024",
        ("256", "1500"): "375 1500 1500",
        ("1024", "10000"): "512 2048 10000",
        ("4000", "4000"): "512 4000 4000",
    }.items():
        command = [sys.executable, "-c", code, *limits]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == expected


def test_long_names(tmp_path):
    sample = Sample("k" * 150, "g", "", (), 25.0)
    write_shards(tmp_path / "index.parquet", [(sample, [jpeg(7), jpeg(9)])], max_bytes=10**6)
    assert ClipStore([tmp_path / "index.parquet"]).frames(0, [1])[0, 0, 0, 0] == pytest.approx(
        9, abs=1
    )


def test_a_shard_cut_short(index, tmp_path):
    tar = tmp_path / "000000.tar"
    tar.write_bytes(tar.read_bytes()[:-100])
    with pytest.raises(SvfapError, match=r"000000\.tar: missing or cut short"):
        ClipStore([index])


def test_a_damaged_frame(index, tmp_path):
    tar = tmp_path / "000000.tar"
    content = bytearray(tar.read_bytes())
    with tarfile.open(tar) as archive:
        member = archive.getmember("clip_0.avi")
        video = archive.extractfile(member).read()
    offset = member.offset_data + [found.start() for found in re.finditer(b"00dc", video)][2]
    content[offset + 300] ^= 1  # decodes, to another picture
    tar.write_bytes(content)
    message = r"frame 2 of clip_0 is damaged; delete \S+/index\.parquet and run again"
    with pytest.raises(SvfapError, match=message):
        ClipStore([index]).frames(0, [2])
    assert ClipStore([index]).frames(0, [0, 1, 3, 4]).shape == (4, 16, 16, 3)


def test_an_index_of_an_earlier_version(index):
    table = pq.read_table(index)
    pq.write_table(table.drop_columns("checksums"), index)
    with pytest.raises(SvfapError, match="written by an earlier version; delete it and run again"):
        ClipStore([index])


def test_a_file_that_is_no_index(tmp_path):
    path = tmp_path / "index.parquet"
    path.write_text("not parquet")
    with pytest.raises(SvfapError, match="not a shard index"):
        ClipStore([path])


def test_no_clips(tmp_path):
    write_shards(tmp_path / "index.parquet", [], max_bytes=1)
    with pytest.raises(SvfapError, match="no clips"):
        ClipStore([tmp_path / "index.parquet"])


@pytest.mark.parametrize("indices", [[0, 4, 8], [11, 3, 3], range(12), [0, 11]])
def test_raw_frames_are_the_decoded_ones(tmp_path, indices):
    sharp = make_shards(tmp_path / "jpeg", [0, 1])
    plain = make_shards(tmp_path / "raw", [0, 1], form="raw")
    assert {path.suffix for path in members(plain)} == {".json", ".npy"}
    one, other = (ClipStore([index]).frames(1, indices) for index in (sharp, plain))
    assert np.array_equal(one, other)


def members(index):
    with tarfile.open(index.with_name("000000.tar")) as tar:
        return [Path(name) for name in tar.getnames()]


def test_raw_frames_are_read_by_numpy(tmp_path):
    index = make_shards(tmp_path, [0], form="raw", side=40)
    with tarfile.open(index.with_name("000000.tar")) as tar:
        video = np.load(io.BytesIO(tar.extractfile("c0_000.npy").read()))
    assert (video.shape, video.dtype) == ((12, 40, 40, 3), np.uint8)


@pytest.mark.parametrize(("form", "call"), [("raw", "preadv"), ("jpeg", "pread")])
def test_frames_far_apart_are_read_one_by_one(tmp_path, monkeypatch, form, call):
    """Reading unneeded bytes between two frames is worth it only for a few."""
    reads = []
    read = getattr(os, call)
    monkeypatch.setattr(os, call, lambda *given: reads.append(given[1]) or read(*given))
    monkeypatch.setattr("svfap.shards.store.SKIPPED", 2000)
    index = make_shards(tmp_path, [0], form=form, side=160)
    store = ClipStore([index])
    together = store.frames(0, [0, 1, 2])
    assert len(reads) == 1
    apart = store.frames(0, [0, 4, 2])
    assert len(reads) == 4
    assert np.array_equal(together[[0, 2]], apart[[0, 2]])


def test_a_raw_shard_that_was_cut_short(tmp_path):
    store = ClipStore([make_shards(tmp_path, [0], form="raw")])
    os.truncate(tmp_path / "000000.tar", 5000)
    with pytest.raises(SvfapError, match=r"frame 4 of c0_000 is damaged; delete \S+index\.parquet"):
        store.frames(0, [4])


@pytest.mark.parametrize("form", ["raw", "jpeg"])
def test_frames_are_read_into_a_part_of_a_larger_array(tmp_path, form):
    store = ClipStore([make_shards(tmp_path, [0], form=form)])
    side = store.largest[0]
    array = np.zeros((4, side + 2, side + 3, 3), np.uint8)
    store.frames(0, [0, 3, 3, 5], out=array[:, :side, :side])
    assert np.array_equal(array[:, :side, :side], store.frames(0, [0, 3, 3, 5]))
    assert not array[:, side:].any()
    assert not array[:, :, side:].any()


def test_hundreds_of_frames_are_read_at_once(tmp_path):
    """More than the buffers that the system allows in one read."""
    frames = [jpeg(n % 200) for n in range(1300)]
    sample = Sample("a", "a", "", (), 25)
    write_shards(tmp_path / "index.parquet", [(sample, frames)], max_bytes=10**9, form="raw")
    found = ClipStore([tmp_path / "index.parquet"]).frames(0, range(1300))
    assert found[:, 0, 0, 0] == pytest.approx([n % 200 for n in range(1300)], abs=1)


def test_clips_of_many_frames(tmp_path):
    frames = [jpeg(n % 200) for n in range(10_001)]
    write_shards(
        tmp_path / "index.parquet", [(Sample("a", "a", "", (), 25), frames)], max_bytes=10**9
    )
    found = ClipStore([tmp_path / "index.parquet"]).frames(0, [0, 9_999, 10_000])
    assert found[:, 0, 0, 0] == pytest.approx([0, 199, 0], abs=1)


def test_toy_shards_are_well_formed(tmp_path):
    assert len(ClipStore([make_shards(tmp_path, [0, 1])])) == 2


def test_a_store_knows_how_its_clips_were_cropped(tmp_path):
    """The settings that all shards share, read from the tars; none if a shard has none."""
    settings = ({"preset": "auto", "size": 160}, {"preset": "auto", "size": 112}, None)
    indexes = []
    for number, crop in enumerate(settings):
        text = json.dumps(crop) if crop else ""
        sample = Sample(f"c{number}", "c", "s", (0.0,), 25.0 + number, text)
        indexes.append(tmp_path / str(number) / "index.parquet")
        indexes[-1].parent.mkdir()
        jpeg = encode_jpeg(np.zeros((8, 8, 3), np.uint8), quality=90)
        write_shards(indexes[-1], [(sample, [jpeg])], max_bytes=10**6)
    assert ClipStore(indexes[:1]).crop == settings[0]
    assert ClipStore(indexes[:2]).crop == {"preset": "auto"}
    assert ClipStore(indexes).crop == {}
    assert ClipStore(indexes).fps == 26.0
