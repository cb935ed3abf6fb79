"""Fetching from a hub: the real client against a server that answers as the hub does."""

import errno
import socket
from dataclasses import replace

import huggingface_hub.constants as hub
import pytest
import torch
from helpers import http_server
from helpers.file_systems import small_disk
from safetensors.torch import save
from weights.make_references import made_up

from svfap.errors import SvfapError
from svfap.weights import cache, converted
from svfap.weights.fetch import fetch
from svfap.weights.start import public

COMMIT = "0" * 39 + "1"
NAME = f"lab/vit@{COMMIT}"
MODEL = f"/lab/vit/resolve/{COMMIT}/model.safetensors"
SHAPES = {
    "patch_embed.proj.weight": (64, 3, 2, 16, 16),
    "patch_embed.proj.bias": (64,),
    "blocks.0.norm1.weight": (64,),
}


@pytest.fixture(scope="module")
def content():
    return save({name: made_up(name, shape) for name, shape in SHAPES.items()})


@pytest.fixture
def server(tmp_path, monkeypatch, content):
    """A hub with one model, empty caches, and no token."""
    with http_server.running() as server:
        server.files, server.cut = {MODEL: content}, []
        server.script = answer_as_the_hub
        aim_at(server.url, monkeypatch)
        monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setenv("SVFAP_WEIGHTS", str(tmp_path / "weights"))
        monkeypatch.setenv("HF_TOKEN", "")
        yield server


def aim_at(url, monkeypatch):
    monkeypatch.setattr(hub, "ENDPOINT", url)
    template = url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(hub, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(hub, "HF_HUB_DISABLE_XET", True)


def answer_as_the_hub(handler, _):
    def refuse(status, code):
        handler.answer(status, X_Error_Code=code, X_Error_Message=code)

    path, files = handler.path, handler.server.files
    if path.startswith("/lab/gated/"):
        return refuse(403, "GatedRepo")
    if not path.startswith("/lab/vit/"):
        return refuse(401, "RepoNotFound")
    if COMMIT not in path:
        return refuse(404, "RevisionNotFound")
    if path not in files:
        return refuse(404, "EntryNotFound")
    body = files[path]
    common = {
        "X_Repo_Commit": COMMIT,
        "ETag": f'"{path}"'.replace("/", "-"),
        "Accept_Ranges": "bytes",
    }
    if handler.command == "HEAD":
        return handler.answer(200, length=len(body), **common)
    asked = handler.headers.get("Range") or "bytes=0-"
    first = int(asked.removeprefix("bytes=").partition("-")[0])
    rest = body[first:]
    limit = handler.server.cut.pop(0) if handler.server.cut else None
    place = {"Content_Range": f"bytes {first}-{len(body) - 1}/{len(body)}"} if first else {}
    return handler.answer(206 if first else 200, rest[:limit], length=len(rest), **common, **place)


def test_a_model_is_fetched_and_converted_once(server):
    path = cache.prepare(NAME)
    found = converted.read(path)
    assert found.sizes["dim"] == 64
    assert f"{NAME}:model.safetensors (SHA-256 " in found.notice
    requests = len(server.ranges)
    assert cache.prepare(NAME) == path
    assert len(server.ranges) == requests
    assert [*path.parent.iterdir()] == [path]


def test_offline_it_comes_from_the_hubs_cache(server, monkeypatch, content):
    whole = fetch(public(NAME))
    assert whole.read_bytes() == content
    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    assert fetch(public(NAME)) == whole


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (f"lab/none@{COMMIT}", "no such public repository"),
        (f"lab/gated@{COMMIT}", r"accept its terms on .* and set HF_TOKEN"),
        ("lab/vit@" + "2" * 40, "no revision '2222"),
        ("lab/vit@v9", "no revision 'v9'"),
        (f"{NAME}:none.pth", "no file 'none.pth'"),
    ],
)
def test_what_the_hub_refuses_is_one_clear_line(server, name, said, tmp_path):
    with pytest.raises(SvfapError, match=said) as error:
        cache.prepare(name)
    assert len(str(error.value).splitlines()) == 1
    assert not (tmp_path / "weights").exists()


def test_without_network_it_is_one_clear_line(server, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)  # the client waits before each new try
    with socket.socket() as unused:  # bound, and nobody listens
        unused.bind(("127.0.0.1", 0))
        aim_at(f"http://127.0.0.1:{unused.getsockname()[1]}", monkeypatch)
        with pytest.raises(SvfapError, match="not in the cache, and the hub cannot be reached"):
            cache.prepare(NAME)


def test_a_cut_download_goes_on_where_it_was_cut(server, content, monkeypatch):
    monkeypatch.setattr(hub, "DOWNLOAD_CHUNK_SIZE", 10_000)  # it counts whole chunks only
    server.cut = [100_000]
    assert fetch(public(NAME)).read_bytes() == content
    assert any(asked and int(asked.split("=")[1].split("-")[0]) for asked in server.ranges)


def test_half_a_file_is_never_taken_for_whole(server, content, tmp_path, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)  # the client waits before each new try
    server.cut = [50_000, *[0] * 50]
    with pytest.raises(SvfapError, match="the hub did not deliver it"):
        cache.prepare(NAME)
    assert not (tmp_path / "weights").exists()
    assert not [*(tmp_path / "hub").glob("**/model.safetensors")]
    server.cut = []
    assert fetch(public(NAME)).read_bytes() == content


def test_another_hash_is_refused(server):
    with pytest.raises(SvfapError, match="not the recorded 0123"):
        fetch(replace(public(NAME), sha256="0123"))


@pytest.mark.faults
@pytest.mark.filterwarnings("ignore:Not enough free disk")
@pytest.mark.parametrize("folder", ["hub", "weights"])
def test_a_full_disk_leaves_nothing_half(server, tmp_path, folder):
    with small_disk(tmp_path / folder, 300_000):
        with pytest.raises((SvfapError, OSError)) as error:
            cache.prepare(NAME)
        full = isinstance(error.value, OSError) and error.value.errno == errno.ENOSPC
        assert full or "no room in the hub's cache" in str(error.value)
        assert not [*(tmp_path / folder).glob("**/*.safetensors")]
    assert converted.read(cache.prepare(NAME)).encoder.keys() >= {"patch_embed.weight"}


def test_an_exported_model_of_a_hub_brings_its_sizes(server, toy_model):
    from svfap.models import VideoModel

    state = VideoModel(toy_model, 5).state_dict()
    server.files[MODEL] = save({name: value.clone() for name, value in state.items()})
    job = '{"svfap": {"job": {"model": ' + toy_model.model_dump_json() + "}}}"
    server.files[MODEL.replace("model.safetensors", "config.json")] = job.encode()
    found = converted.read(cache.prepare(NAME))
    found.check_sizes(toy_model)
    assert torch.equal(found.encoder["patch_embed.bias"], state["encoder.patch_embed.bias"])
