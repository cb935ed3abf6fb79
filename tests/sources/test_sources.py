"""Downloads from a local HTTP server that misbehaves as real servers do."""

import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from helpers.http_server import Handler, Server, running

from svfap.errors import SvfapError
from svfap.sources import SourceError, fetch, is_url, request

BODY = bytes(range(256)) * 2000
MODIFIED = "Wed, 21 Oct 2015 07:28:00 GMT"
fast = partial(fetch, tries=3, backoff=0.01)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with running() as server:
        server.url += "/clip.mp4"
        yield server


def serve(handler: Handler, *, etag: str = '"one"', limit: int | None = None) -> None:
    """Serve `BODY` as RFC 9110 requires, up to `limit` bytes."""
    name = "Last-Modified" if etag == MODIFIED else "ETag"
    handler.serve_range(BODY, etag=etag, limit=limit, name=name)


def only(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def failure(url: str, destination: Path, kind: type[SvfapError] = SourceError) -> str:
    with pytest.raises(kind) as caught:
        fast(url, destination)
    message = str(caught.value)
    assert "\n" not in message
    assert url in message
    assert not destination.exists()
    return message


def test_local_file_is_not_copied(tmp_path: Path) -> None:
    video = tmp_path / "a b.mp4"
    video.write_bytes(b"x")
    assert fetch(str(video), tmp_path / "copy.mp4") == video.resolve()
    assert only(tmp_path) == ["a b.mp4"]


@pytest.mark.parametrize("name", ["gone.mp4", "."])
def test_missing_local_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceError, match=r"is not a file; correct the path"):
        fetch(str(tmp_path / name), tmp_path / "copy.mp4")


def test_only_http_is_a_url() -> None:
    assert is_url("HTTPS://example.org/a.mp4")
    assert not is_url("videos/http.mp4")


def test_download_leaves_only_the_file(server: Server, tmp_path: Path) -> None:
    server.script = lambda handler, _: serve(handler)
    target = tmp_path / "new" / "clip.mp4"
    assert fast(server.url, target) == target
    assert target.read_bytes() == BODY
    assert only(target.parent) == ["clip.mp4"]


def test_existing_file_is_not_downloaded_again(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "clip.mp4"
    target.write_bytes(b"mine")
    assert fast(server.url, target).read_bytes() == b"mine"
    assert server.ranges == []


def test_interrupted_download_resumes(server: Server, tmp_path: Path) -> None:
    server.script = lambda handler, n: serve(handler, limit=100_000 if n < 5 else None)
    assert fast(server.url, tmp_path / "clip.mp4").read_bytes() == BODY
    assert server.ranges == [None, *(f"bytes={n}00000-" for n in range(1, 5))]


def test_next_run_resumes_by_last_modified(server: Server, tmp_path: Path) -> None:
    def broken(handler: Handler, number: int) -> None:
        assert handler.headers["If-Range"] == (None if number == 1 else MODIFIED)
        serve(handler, etag=MODIFIED, limit=1000 if number == 1 else 0)

    server.script = broken
    assert "run again to resume" in failure(server.url, tmp_path / "clip.mp4")
    assert only(tmp_path) == ["clip.mp4.part", "clip.mp4.part.source"]
    server.ranges.clear()
    server.script = lambda handler, _: serve(handler, etag=MODIFIED)
    assert fast(server.url, tmp_path / "clip.mp4").read_bytes() == BODY
    assert server.ranges == ["bytes=1000-"]


def test_changed_file_is_downloaded_from_the_start(server: Server, tmp_path: Path) -> None:
    def script(handler: Handler, number: int) -> None:
        if number == 1:
            handler.serve_range(b"old" * 100_000, etag='"old"', limit=500)
        else:
            handler.serve_range(BODY, etag='"new"')

    server.script = script
    assert fast(server.url, tmp_path / "clip.mp4").read_bytes() == BODY
    assert server.ranges == [None, "bytes=500-"]


def test_changed_file_on_a_server_that_ignores_if_range(server: Server, tmp_path: Path) -> None:
    def script(handler: Handler, number: int) -> None:
        if number == 1:
            handler.serve_range(b"old" * 100_000, etag='"old"', limit=500)
        elif number == 2:
            place = f"bytes 500-{len(BODY) - 1}/{len(BODY)}"
            handler.answer(206, BODY[500:], ETag='"new"', Content_Range=place)
        else:
            handler.serve_range(BODY, etag='"new"')

    server.script = script
    assert fast(server.url, tmp_path / "clip.mp4").read_bytes() == BODY


def test_server_that_ignores_range(server: Server, tmp_path: Path) -> None:
    server.script = lambda handler, n: handler.answer(
        200, BODY[: 1000 if n == 1 else None], length=len(BODY), ETag='"one"'
    )
    assert fast(server.url, tmp_path / "clip.mp4").read_bytes() == BODY
    assert server.ranges == [None, "bytes=1000-"]


def test_weak_etag_does_not_resume(server: Server, tmp_path: Path) -> None:
    server.script = lambda handler, n: serve(
        handler, etag='W/"one"', limit=1000 if n == 1 else None
    )
    assert fast(server.url, tmp_path / "clip.mp4").read_bytes() == BODY
    assert server.ranges == [None, None]


def test_ranges_shorter_than_requested(server: Server, tmp_path: Path) -> None:
    """A server may send less than the requested range."""

    def script(handler: Handler, number: int) -> None:
        if number == 1:
            return serve(handler, limit=1000)
        first = int(handler.headers["Range"][6:-1])
        piece = BODY[first : first + 200_000]
        place = f"bytes {first}-{first + len(piece) - 1}/{len(BODY)}"
        return handler.answer(206, piece, ETag='"one"', Content_Range=place)

    server.script = script
    assert fast(server.url, tmp_path / "clip.mp4").read_bytes() == BODY


@pytest.mark.parametrize(("kept", "requests"), [(BODY, 1), (BODY + b"more", 2)])
def test_range_not_satisfiable(server: Server, tmp_path: Path, kept: bytes, requests: int) -> None:
    server.script = lambda handler, _: serve(handler)
    target = tmp_path / "clip.mp4"
    (tmp_path / "clip.mp4.part").write_bytes(kept)
    (tmp_path / "clip.mp4.part.source").write_text(f'{server.url}\n"one"')
    assert fast(server.url, target).read_bytes() == BODY
    assert len(server.ranges) == requests
    assert only(tmp_path) == ["clip.mp4"]


@pytest.mark.parametrize("note", ["", "{", 'http://127.0.0.1/other.mp4\n"one"'])
def test_partial_file_of_unknown_origin_is_discarded(
    server: Server, tmp_path: Path, note: str
) -> None:
    server.script = lambda handler, _: serve(handler)
    (tmp_path / "clip.mp4.part").write_bytes(b"other")
    (tmp_path / "clip.mp4.part.source").write_text(note)
    assert fast(server.url, tmp_path / "clip.mp4").read_bytes() == BODY
    assert server.ranges == [None]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_requests_to_a_busy_server_are_retried(server: Server, tmp_path: Path, status: int) -> None:
    server.script = lambda handler, n: handler.answer(status) if n < 3 else serve(handler)
    assert fast(server.url, tmp_path / "clip.mp4").read_bytes() == BODY


@pytest.mark.parametrize("date", [False, True])
def test_retry_after_is_obeyed(server: Server, tmp_path: Path, date: bool) -> None:
    times: list[float] = []

    def script(handler: Handler, number: int) -> None:
        times.append(time.monotonic())
        after = formatdate(time.time() + 2, usegmt=True) if date else "1"
        handler.answer(503, Retry_After=after) if number == 1 else serve(handler)

    server.script = script
    fast(server.url, tmp_path / "clip.mp4")
    assert times[1] - times[0] > 0.9


def test_server_that_stays_busy(server: Server, tmp_path: Path) -> None:
    server.script = lambda handler, _: handler.answer(503)
    assert "503" in failure(server.url, tmp_path / "clip.mp4")
    assert len(server.ranges) == 3


def test_body_shorter_than_its_content_length(server: Server, tmp_path: Path) -> None:
    server.script = lambda handler, _: handler.answer(200, BODY, length=len(BODY) + 1)
    message = failure(server.url, tmp_path / "clip.mp4")
    assert f"got {len(BODY)} of {len(BODY) + 1} bytes" in message


@pytest.mark.parametrize(
    ("status", "advice"), [(404, "correct the address"), (403, "by hand"), (410, "leave")]
)
def test_refusal_is_final(server: Server, tmp_path: Path, status: int, advice: str) -> None:
    server.script = lambda handler, _: handler.answer(status)
    message = failure(server.url, tmp_path / "clip.mp4")
    assert str(status) in message
    assert advice in message
    assert len(server.ranges) == 1


def test_web_page_is_not_a_video(server: Server, tmp_path: Path) -> None:
    server.script = lambda handler, _: handler.answer(200, b"<html>", Content_Type="text/html")
    assert "is a web page" in failure(server.url, tmp_path / "clip.mp4")


def test_disk_too_small(server: Server, tmp_path: Path) -> None:
    server.script = lambda handler, _: handler.answer(200, BODY, length=10**18)
    message = failure(server.url, tmp_path / "clip.mp4", SvfapError)
    assert "1000000000.0 GB" in message
    assert "`data`" in message


def test_folder_that_cannot_be_created(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    message = failure(server.url, tmp_path / "file" / "clip.mp4", SvfapError)
    assert "cannot be stored" in message


def test_no_server_at_the_address(server: Server, tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as closed:
        port = closed.server_port
    message = failure(f"http://127.0.0.1:{port}/clip.mp4", tmp_path / "clip.mp4")
    assert "no connection" in message


def test_server_that_stops_sending(server: Server, tmp_path: Path, monkeypatch) -> None:
    def silent(handler: Handler, number: int) -> None:
        if number > 1:
            return serve(handler)
        handler.answer(200, BODY[:1000], length=len(BODY), ETag='"one"')
        handler.wfile.flush()
        over.wait(10)

    over = threading.Event()
    monkeypatch.setattr(request, "TIMEOUT_SECONDS", 0.3)
    server.script = silent
    assert fast(server.url, tmp_path / "clip.mp4").read_bytes() == BODY
    over.set()
    assert server.ranges == [None, "bytes=1000-"]


def test_network_that_is_down_for_a_while(server: Server, tmp_path: Path) -> None:
    def gone(handler: Handler, number: int) -> None:
        serve(handler, limit=300_000)
        server.socket.close()

    def back() -> None:
        again = ThreadingHTTPServer(server.server_address, Handler)
        again.ranges, again.script = [], lambda handler, _: serve(handler)
        asked.append(again.ranges)
        again.handle_request()
        again.server_close()

    asked: list[list[str]] = []
    server.script = gone
    timer = threading.Timer(0.5, back)
    timer.start()
    path = fetch(server.url, tmp_path / "clip.mp4", tries=8, backoff=0.05)
    timer.join()
    assert path.read_bytes() == BODY
    assert asked == [["bytes=300000-"]]


@pytest.mark.parametrize("url", ["http://", "http://127.0.0.1:port/a.mp4", "http://[::1/a.mp4"])
def test_invalid_address(url: str, tmp_path: Path) -> None:
    assert "not a valid address" in failure(url, tmp_path / "clip.mp4")


def test_spaces_and_non_ascii_letters_in_a_url(server: Server, tmp_path: Path) -> None:
    paths: list[str] = []

    def script(handler: Handler, _: int) -> None:
        paths.append(handler.path)
        serve(handler)

    server.script = script
    fast(server.url.replace("clip.mp4", "my clip é%20.mp4?x=1"), tmp_path / "clip.mp4")
    assert paths == ["/my%20clip%20%C3%A9%20.mp4?x=1"]


def test_a_user_and_password_in_the_address_are_sent_and_shown_nowhere(
    server: Server, tmp_path: Path
) -> None:
    asked: list[str | None] = []

    def script(handler: Handler, number: int) -> None:
        asked.append(handler.headers.get("Authorization"))
        serve(handler, limit=1000 if number == 1 else None)

    server.script = script
    address = server.url.replace("http://", "http://ann:p%40ss-w0rd@")
    with pytest.raises(SourceError) as caught:
        fetch(f"{address}?sig=first", tmp_path / "a.mp4", tries=1)
    assert "p%40ss-w0rd" not in str(caught.value)
    assert "first" not in str(caught.value)
    assert [b"p%40ss" in path.read_bytes() for path in tmp_path.iterdir()] == [False, False]
    # The same file at an address that was signed again: the download resumes.
    assert fetch(f"{address}?sig=second", tmp_path / "a.mp4").read_bytes() == BODY
    assert server.ranges[1] == "bytes=1000-"
    assert asked == ["Basic YW5uOnBAc3MtdzByZA=="] * 2


def test_a_redirect_to_another_host_gets_no_password(server: Server, tmp_path: Path) -> None:
    with running() as other:
        asked: list[str | None] = []

        def elsewhere(handler: Handler, number: int) -> None:
            asked.append(handler.headers.get("Authorization"))
            serve(handler)

        other.script = elsewhere
        server.script = lambda handler, number: handler.answer(302, Location=f"{other.url}/a.mp4")
        fast(server.url.replace("http://", "http://ann:pa55@"), tmp_path / "a.mp4")
    assert asked == [None]
