"""One file in several spans at once, from a server on this machine."""

import hashlib
import random
from functools import partial
from pathlib import Path

import pytest
from helpers.http_server import Handler, Server, running

from svfap.sources import SourceError
from svfap.sources.partial import Expected
from svfap.sources.spans import fetch_in_spans

BODY = random.Random(0).randbytes(1_000_003)
QUARTERS = {
    "bytes=0-249999",
    "bytes=250000-500000",
    "bytes=500001-750001",
    "bytes=750002-1000002",
}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with running() as made:
        made.script = lambda handler, _: handler.serve_range(BODY)
        yield made


def get(server: Server, path: Path, *, expected: Expected | None = None) -> list[int]:
    """Download in spans and return the reported numbers of bytes."""
    received: list[int] = []
    fetch = partial(fetch_in_spans, min_bytes=1000, backoff=0.001, advance=received.append)
    fetch(f"{server.url}/a", path, **({"expected": expected} if expected else {}))
    return received


def test_spans_become_one_file(server, tmp_path):
    expected = Expected(len(BODY), f"sha256:{hashlib.sha256(BODY).hexdigest()}")
    received = get(server, tmp_path / "new" / "a", expected=expected)
    assert (tmp_path / "new" / "a").read_bytes() == BODY
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a"]
    assert server.ranges[0] == "bytes=0-0"
    assert {*server.ranges[1:]} == QUARTERS
    assert sum(received) == len(BODY)
    get(server, tmp_path / "new" / "a")
    assert len(server.ranges) == 5


def test_an_interrupted_span_resumes(server, tmp_path):
    def break_off(handler: Handler, number: int) -> None:
        handler.serve_range(BODY, limit=100_000 if number < 6 else None)

    server.script = break_off
    get(server, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == BODY
    starts = {int(given.removeprefix("bytes=").partition("-")[0]) for given in server.ranges}
    assert starts & {100_000, 350_000, 600_001, 850_002}  # where the answers broke off


def test_spans_are_kept_for_the_next_run(server, tmp_path):
    def refuse_last_span(handler: Handler, number: int) -> None:
        last = handler.headers["Range"].endswith("-1000002")
        handler.answer(503) if last else handler.serve_range(BODY)

    server.script = refuse_last_span
    with pytest.raises(SourceError, match="503"):
        get(server, tmp_path / "a")
    assert not (tmp_path / "a").exists()
    server.script = lambda handler, _: handler.serve_range(BODY)
    server.ranges.clear()
    assert sum(get(server, tmp_path / "a")) == len(BODY)
    assert server.ranges == ["bytes=0-0", "bytes=750002-1000002"]
    assert (tmp_path / "a").read_bytes() == BODY


def test_an_interrupted_join(server, tmp_path):
    """The first piece is longer than its span, the second is gone."""
    (tmp_path / "a.part.0-249999").write_bytes(BODY[:400_000])
    (tmp_path / "a.part.0-249999.source").write_text(f'{server.url}/a\n"one"')
    get(server, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == BODY


def test_a_file_that_changed_since(server, tmp_path):
    (tmp_path / "a.part.0-249999").write_bytes(b"old" * 100)
    (tmp_path / "a.part.0-249999.source").write_text(f'{server.url}/a\n"old"')
    get(server, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == BODY


def test_versions_of_a_file_that_changes_during_the_download_are_not_mixed(server, tmp_path):
    def change(handler: Handler, number: int) -> None:
        handler.serve_range(BODY if number < 3 else BODY[::-1], etag=f'"{min(number, 3)}"')

    server.script = change
    with pytest.raises(SourceError, match="changed on the server during the download"):
        get(server, tmp_path / "a")
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("tag", ["", 'W/"weak"'])
def test_a_server_without_ranges_or_validator(server, tmp_path, tag):
    headers = {"ETag": tag} if tag else {}
    server.script = lambda handler, _: handler.answer(200, BODY, **headers)
    get(server, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == BODY


def test_a_small_file_is_not_divided(server, tmp_path):
    server.script = lambda handler, _: handler.serve_range(b"small")
    get(server, tmp_path / "a")
    assert server.ranges == ["bytes=0-0", None]
    assert (tmp_path / "a").read_bytes() == b"small"


def test_a_wrong_checksum(server, tmp_path):
    with pytest.raises(SourceError, match="sha256 checksum"):
        get(server, tmp_path / "a", expected=Expected(checksum="sha256:0"))
    assert not (tmp_path / "a").exists()
