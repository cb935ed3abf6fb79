"""Made-up and damaged files: every reader returns or says what is wrong in one line.

`SVFAP_FUZZ=20000 python -m pytest tests/test_fuzz.py --timeout 0` tries so many of each kind, other
ones each time.
"""

import contextlib
import csv
import io
import json
import os
from pathlib import Path

import pytest
import yaml
from helpers.toy_shards import make_shards
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from svfap.config.yaml_file import check, load
from svfap.datasets import folder
from svfap.errors import SvfapError
from svfap.experiment import resolve
from svfap.shards.store import ClipStore
from svfap.tracking.record import append, begin, read_record, run_id

USUAL = 100
CASES = int(os.environ.get("SVFAP_FUZZ", USUAL))
tried = settings(
    max_examples=CASES,
    derandomize=CASES == USUAL,
    deadline=None,
    database=None,
    suppress_health_check=[*HealthCheck],
)

COLUMNS = ["path", "label", "subject", "fold", "start", "end", "id", "key", "Path ", "", "a/b"]
CELLS = [
    "a.mp4", "b c.mp4", "-c", "~/d.mp4", "~nobody/e.mp4", "$(touch x)", "'\"", "a\nb", "a\0b",
    "../x",
    "http://[", "https://host:port/a", "ftp://a", "happy", "Happy", "sad", "fold1", "0", "1e400",
    "-1", "nan", "1_0", "\u202e", "\U0001f600",
]  # fmt: skip
CONFIG = {
    "datasets": {"mine": {"csv": "mine.csv", "folds": 2, "finetune": {"flip": 0.5}}, "demo": {}},
    "crop": {"every": 3, "preset": None},
    "model": {"depths": [1, 2, 2], "dim": 64},
    "pretrain": {"datasets": ["demo"], "optim": {"lr": 1e-4}},
    "variants": {"v": {"finetune": {"fraction": 0.5}, "seed": 1}},
}
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner)
)


@contextlib.contextmanager
def told_in_one_line():
    try:
        yield
    except SvfapError as error:
        assert len(str(error).splitlines()) == 1, error  # noqa: PT017  (most return)


@st.composite
def damaged(draw, content: bytes) -> bytes:
    """The content with bytes changed, and perhaps cut short."""
    data = bytearray(content)
    for place in draw(st.lists(st.integers(0, len(data) - 1), max_size=8)):
        data[place] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.none() | st.integers(0, len(data)))])


@st.composite
def listings(draw) -> bytes:
    """A CSV of columns and cells that a user might write, and of others."""
    cells = st.sampled_from(CELLS) | st.text(max_size=8)
    header = draw(st.lists(st.sampled_from(COLUMNS), max_size=4, unique=True))
    header = draw(st.just(["path", "label", "subject"]) | st.just(header))
    width = len(header)
    rows = draw(st.lists(st.lists(cells, min_size=width, max_size=width), max_size=8))
    text = io.StringIO()
    csv.writer(text, escapechar="\\").writerows([header, *rows])
    return text.getvalue().encode(errors="replace")


@st.composite
def changed_config(draw):
    """The configuration with a value at some depth replaced."""
    config = json.loads(json.dumps(CONFIG))
    section, value = config, draw(VALUES)
    while True:
        key = draw(st.sampled_from([*section]) | st.text())
        if not isinstance(section.get(key), dict) or not section[key] or draw(st.booleans()):
            section[key] = value
            return config
        section = section[key]


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "file"


@tried
@given(
    content=listings() | listings().flatmap(lambda made: damaged(made or b" ")) | st.binary(),
    task=st.sampled_from(["classification", "regression", "unlabelled"]),
    folds=st.integers(2, 4),
    classes=st.just(()) | st.lists(st.sampled_from(CELLS), max_size=2).map(tuple),
)
def test_a_listing_of_videos(file, content, task, folds, classes):
    file.write_bytes(content)
    with told_in_one_line():
        dataset = folder.load("mine", file, task=task, folds=folds, classes=classes)
        keys = [clip.key for clip in dataset.clips(file.parent / "raw")]
        assert len({*keys}) == len(keys) > 0
        if b"http" not in content and b"id" not in content.lower():
            dataset.fetch(file.parent / "raw")


@tried
@given(values=st.just({"clips": CONFIG}) | VALUES, content=st.none() | st.binary())
def test_a_json_listing(tmp_path, values, content):
    file = tmp_path / "file.json"
    file.write_bytes(json.dumps(values).encode() if content is None else content)
    with told_in_one_line():
        folder.load("mine", file, task="unlabelled", folds=2)


@tried
@given(content=st.binary() | st.text().map(str.encode) | damaged(yaml.safe_dump(CONFIG).encode()))
def test_the_text_of_a_configuration(file, content):
    file.write_bytes(content)
    with told_in_one_line():
        load(file)


@tried
@given(values=changed_config() | VALUES)
def test_the_values_of_a_configuration(values):
    with told_in_one_line():
        check(values)


@tried
@given(values=changed_config())
def test_a_plan(values):
    with told_in_one_line():
        resolve.resolve(values, where="config")


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['touch hacked']",
        "datasets: !!python/name:os.system",
        "model: !mine 3",
        "a: !!timestamp x",
        "a: !!int ''",
        "a: !!bool x",
        "a: 2001-99-99",
        f"a: {'1' * 5000}",
        "[" * 5000,
        "a: \xff",
        "&a {datasets: *a}",
    ],
)
def test_yaml_that_means_harm(file, text, monkeypatch):
    monkeypatch.chdir(file.parent)
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(SvfapError) as error:
        load(file)
    assert len(str(error.value).splitlines()) == 1
    assert [*file.parent.iterdir()] == [file]


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> tuple[Path, bytes]:
    index = make_shards(tmp_path_factory.mktemp("shards"), [0, 1] * 3, frames=4)
    return index, index.read_bytes()


@tried
@given(data=st.data())
def test_a_shard_index(shards, data):
    index, content = shards
    index.write_bytes(data.draw(damaged(content)))
    with told_in_one_line():
        store = ClipStore([index])
        clips = store.keys, store.groups, store.subjects, store.targets, store.fps, store.crop
        assert len(clips[0]) == len(clips[3]) == len(store)
        for clip in range(len(store)):
            assert store.frames(clip, range(store.length(clip))).shape[1:3] == store.size(clip)


RECORD = "".join(
    json.dumps(event) + "\n"
    for event in (
        {"time": 1.0, "event": "start", "id": "a", "stage": "crop", "params": {"a": "1"}},
        {"time": 2.0, "event": "metrics", "metrics": {"loss": 1.0}, "step": 1},
        {"time": 2.5, "event": "tracked", "uri": "sqlite:///x", "run_id": "b"},
        {"time": 3.0, "event": "end", "status": "FINISHED", "artifacts": []},
    )
).encode()


@tried
@given(
    content=damaged(RECORD)
    | st.binary()
    | st.lists(VALUES).map(lambda v: "\n".join(map(json.dumps, v)).encode())
)
def test_the_record_of_a_run(tmp_path, content):
    record = tmp_path / "run.jsonl"
    record.write_bytes(content)
    read_record(record), run_id(record)
    begin(record, {"event": "start", "stage": "crop", "params": {"a": "1"}})
    append(record, {"event": "end", "status": "FINISHED"})
    assert [event["event"] for event in read_record(record)][-2:] == ["start", "end"]
