"""The datasets that the stage `download` downloads, from a local server with their real layout."""

import csv
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest
from helpers.dataset_copies import COPIES, Media, crema_d_names
from helpers.http_server import Handler, Server, running, serve_files

from svfap.config import DatasetConfig
from svfap.datasets import crema_d, enterface05, ravdess
from svfap.datasets.dataset import read_manifest
from svfap.errors import SvfapError
from svfap.sources import SourceError, fetch
from svfap.sources.parallel import RemoteFile, fetch_all
from svfap.sources.partial import Expected
from svfap.stages import download

BODY = bytes(range(256)) * 8000


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Media:
    return Media(tmp_path_factory.mktemp("media"))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr("svfap.sources.http.time.sleep", lambda _: None)
    with running() as made:
        yield made


def prepare(name: str, folder: Path, **chosen: object) -> list:
    output = folder / "manifest.csv"
    download.run(DatasetConfig(**chosen), dataset=name, output=output, log=lambda _: None)
    return list(read_manifest(output))


def requested(server: Server, script) -> list[str]:
    """Make a server record the requested paths."""
    paths: list[str] = []

    def record(handler: Handler, number: int) -> None:
        paths.append(handler.path.lstrip("/"))
        script(handler, number)

    server.script = record
    return paths


def crema_d_files(names: list[str], video: bytes) -> dict[str, bytes]:
    oid = hashlib.sha256(video).hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(video)}\n"
    text = io.StringIO()
    rows = [(number, name) for number, name in enumerate(names, start=1)]
    csv.writer(text).writerows([("Stimulus_Number", "Filename"), *rows])
    files = {"raw/SentenceFilenames.csv": text.getvalue().encode()}
    files |= {f"raw/VideoFlash/{name}.flv": pointer.encode() for name in names}
    return files | {f"media/VideoFlash/{name}.flv": video for name in names}


@pytest.fixture
def mirror(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server that replaces those of all publishers."""
    monkeypatch.setattr(crema_d, "REPOSITORY", f"{server.url}/raw")
    monkeypatch.setattr(crema_d, "MEDIA", f"{server.url}/media")
    monkeypatch.setattr(ravdess, "ZENODO_RECORD", f"{server.url}/record.json")
    monkeypatch.setattr(enterface05, "ARCHIVE", f"{server.url}/project2_database.zip")
    return server


def test_crema_d_is_verified_against_its_pointers(mirror, media, tmp_path):
    names = crema_d_names()[:: 7442 // 40]
    video = media.files[".flv"].read_bytes()
    files = crema_d_files(names, video)
    paths = requested(mirror, serve_files(files))
    clips = prepare("CREMA-D", tmp_path, allow_incomplete=True)
    assert [clip.key for clip in clips] == names
    assert all(clip.path.read_bytes() == video for clip in clips)
    assert len(paths) == 1 + 2 * len(names)
    assert not list(tmp_path.rglob("*.pointer"))
    clips[3].path.unlink()
    clips[4].path.write_bytes(files[f"raw/VideoFlash/{names[4]}.flv"])
    clips[5].path.write_bytes(b"")
    paths.clear()
    assert len(prepare("CREMA-D", tmp_path, allow_incomplete=True)) == len(names)
    assert sorted(paths) == sorted(
        f"{side}/VideoFlash/{names[n]}.flv" for n in (3, 4, 5) for side in ("raw", "media")
    )
    assert clips[4].path.read_bytes() == video


def test_crema_d_with_a_damaged_and_a_missing_file_fails(mirror, media, tmp_path):
    names = crema_d_names()[:: 7442 // 40]
    files = crema_d_files(names, media.files[".flv"].read_bytes())
    files[f"media/VideoFlash/{names[7]}.flv"] = media.files[".flv"].read_bytes()[:-1] + b"?"
    del files[f"media/VideoFlash/{names[9]}.flv"]
    mirror.script = serve_files(files)
    with pytest.raises(SvfapError, match=r"CREMA-D: 2 of 41 files not downloaded: .*checksum"):
        prepare("CREMA-D", tmp_path)
    assert not (tmp_path / "manifest.csv").exists()
    kept = {path.stem for path in (tmp_path / "VideoFlash").iterdir()}
    assert kept == {*names} - {names[7], names[9]}
    with pytest.raises(SvfapError, match="2 of 2 files"):
        prepare("CREMA-D", tmp_path)


def ravdess_files(server: Server, media: Media, folder: Path) -> dict[str, bytes]:
    """The record and the archives of all actors, as Zenodo serves them."""
    COPIES["RAVDESS"](folder, media)
    files: dict[str, bytes] = {}
    listed = []
    for actor in range(1, 25):
        name = f"Video_Speech_Actor_{actor:02d}.zip"
        text = io.BytesIO()
        with zipfile.ZipFile(text, "w") as archive:
            for path in sorted((folder / f"Actor_{actor:02d}").iterdir()):
                archive.write(path, f"Actor_{actor:02d}/{path.name}")
        files[name] = text.getvalue()
        checksum = f"md5:{hashlib.md5(files[name]).hexdigest()}"
        link = {"self": f"{server.url}/{name}"}
        listed.append({"key": name, "size": len(files[name]), "checksum": checksum, "links": link})
    return files | {"record.json": json.dumps({"files": listed}).encode()}


def test_ravdess_unpacks_only_its_videos_and_downloads_nothing_twice(mirror, media, tmp_path):
    files = ravdess_files(mirror, media, tmp_path / "origin")
    paths = requested(mirror, serve_files(files))
    clips = prepare("RAVDESS", tmp_path / "raw")
    assert len(clips) == 1440
    videos = list((tmp_path / "raw").rglob("*.mp4"))
    assert {path.name[:5] for path in videos} == {"02-01"}
    assert not list((tmp_path / "raw").rglob("*.zip"))
    assert len(paths) == 25
    paths.clear()
    clips[0].path.unlink()
    prepare("RAVDESS", tmp_path / "raw")
    assert [*dict.fromkeys(paths)] == ["record.json", "Video_Speech_Actor_01.zip"]
    paths.clear()
    prepare("RAVDESS", tmp_path / "raw", variant="7-classes")
    assert paths == []


def test_archives_of_the_user_are_used_and_kept(mirror, media, tmp_path):
    files = ravdess_files(mirror, media, tmp_path / "origin")
    (tmp_path / "mine").mkdir()
    for name, content in files.items():
        (tmp_path / "mine" / name).write_bytes(content)
    paths = requested(mirror, serve_files({}))
    assert len(prepare("RAVDESS", tmp_path / "raw", root=tmp_path / "mine")) == 1440
    assert paths == []
    assert len(list((tmp_path / "mine").glob("*.zip"))) == 24
    assert [path.name for path in (tmp_path / "raw").iterdir()] == ["manifest.csv"]


def test_enterface05_from_one_archive(mirror, media, tmp_path):
    COPIES["eNTERFACE05"](tmp_path / "origin", media)
    text = io.BytesIO()
    with zipfile.ZipFile(text, "w") as archive:
        for path in sorted((tmp_path / "origin").rglob("*")):
            archive.write(path, path.relative_to(tmp_path / "origin").as_posix())
    content = text.getvalue()

    def break_off(handler: Handler, number: int) -> None:
        handler.serve_range(content, limit=len(content) // 3 if number < 3 else None)

    mirror.script = break_off
    clips = prepare("eNTERFACE05", tmp_path / "raw")
    assert len(clips) == 1287
    assert mirror.ranges == ["bytes=0-0", None, f"bytes={len(content) // 3}-"]
    assert not list((tmp_path / "raw").glob("*.zip*"))


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        (Expected(len(BODY) + 1), f"has {len(BODY)} bytes instead of {len(BODY) + 1}"),
        (Expected(checksum="md5:00"), "has the md5 checksum"),
        (Expected(len(BODY), "sha256:" + "0" * 64), "has the sha256 checksum"),
    ],
)
def test_a_file_of_another_size_or_checksum(server, tmp_path, expected, message):
    server.script = lambda handler, _: handler.serve_range(BODY)
    with pytest.raises(SourceError) as caught:
        fetch(f"{server.url}/a", tmp_path / "a", expected=expected)
    assert message in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_correct_checksums(server, tmp_path):
    server.script = lambda handler, _: handler.serve_range(BODY)
    md5 = f"md5:{hashlib.md5(BODY).hexdigest()}"
    sha256 = f"sha256:{hashlib.sha256(BODY).hexdigest().upper()}"
    for checksum in (md5, sha256):
        expected = Expected(len(BODY), checksum)
        path = fetch(f"{server.url}/a", tmp_path / checksum[:3], expected=expected)
        assert path.read_bytes() == BODY


def test_all_other_files_are_downloaded_before_an_error(server, tmp_path):
    server.script = serve_files({"a": BODY, "c": BODY})
    remotes = [RemoteFile(f"{server.url}/{name}", tmp_path / name) for name in "abc"]
    with pytest.raises(SourceError, match=r"some: 1 of 3 files not downloaded: .*/b: .*404"):
        fetch_all(remotes, total=3, label="some")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "c"]


def test_files_that_the_disk_cannot_hold_are_not_downloaded(server, tmp_path):
    server.script = serve_files({"a": BODY})
    remotes = [RemoteFile(f"{server.url}/a", tmp_path / "a", Expected(10**18))]
    with pytest.raises(SvfapError, match=r"some: needs 1000000000\.0 GB"):
        fetch_all(remotes, total=1, label="some")
    assert server.ranges == []


def test_a_server_that_dies_during_a_download_and_comes_back(server, tmp_path):
    def die(handler: Handler, number: int) -> None:
        handler.serve_range(BODY, limit=100_000 if number == 1 else 0)
        if number == 1:
            handler.server.socket.close()

    server.script = die
    port = server.server_port
    with pytest.raises(SourceError, match="attempts in a row"):
        fetch(f"{server.url}/a", tmp_path / "a", tries=2)
    assert not (tmp_path / "a").exists()
    script = f"import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r})\n" + (
        "from helpers.http_server import Handler, Server\n"
        f"server = Server(('127.0.0.1', {port}), Handler); server.ranges = []\n"
        "body = bytes(range(256)) * 8000\n"
        "server.script = lambda handler, _: handler.serve_range(body)\n"
        "print('ready', flush=True); server.serve_forever()\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as revived:
        assert revived.stdout.readline() == b"ready\n"
        try:
            assert fetch(f"http://127.0.0.1:{port}/a", tmp_path / "a").read_bytes() == BODY
        finally:
            revived.kill()


def test_a_killed_download_resumes(server, tmp_path):
    half = len(BODY) // 2

    def slow(handler: Handler, number: int) -> None:
        if number > 1:
            return handler.serve_range(BODY)
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(BODY)))
        handler.send_header("ETag", '"one"')
        handler.end_headers()
        handler.wfile.write(BODY[:half])
        handler.wfile.flush()
        handler.server.shutdown_event.wait(20)

    server.shutdown_event = threading.Event()
    server.script = slow
    code = (
        "import sys; from pathlib import Path; from svfap.sources import fetch;"
        f"fetch({server.url + '/a'!r}, Path({str(tmp_path / 'a')!r}))"
    )
    partial = tmp_path / "a.part"
    with subprocess.Popen([sys.executable, "-c", code], env=os.environ.copy()) as client:
        deadline = time.monotonic() + 20
        while not (partial.exists() and partial.stat().st_size > half // 2):
            assert client.poll() is None
            assert time.monotonic() < deadline
        client.send_signal(signal.SIGKILL)
    server.shutdown_event.set()
    kept = partial.stat().st_size
    assert not (tmp_path / "a").exists()
    assert fetch(f"{server.url}/a", tmp_path / "a").read_bytes() == BODY
    assert server.ranges[-1] == f"bytes={kept}-"
