"""Models on the Hugging Face hub: the card's header, and writing to a local hub."""

import base64
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.http_server import Handler, running
from helpers.random_checkpoints import CLASSES, TRAITS, write_checkpoint
from huggingface_hub import ModelCard

import svfap
from svfap.errors import SvfapError
from svfap.use import bundle
from svfap.use.hub import check_push, push
from svfap.use.share import write_folder

TOKEN = "hf_" + "Secret0123456789" * 2


def figures(*rows):
    return tuple(
        {"dataset": d, "fold": f, "target": t, "metric": m, "value": v, "clips": 9}
        for d, f, t, m, v in rows
    )


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_the_hub_reads_the_results_in_the_header(tmp_path, toy_model, task):
    if task == "classification":
        rows = figures(
            ("DFEW", "1", "", "UAR", 0.1),
            ("DFEW", "pooled", "", "UAR", 0.5),
            ("DFEW", "pooled", "", "WF1", 0.6),
        )
        wanted = [
            ("recall", "macro", "UAR", 0.5, "pooled"),
            ("f1", "weighted", "WF1", 0.6, "pooled"),
        ]
        path = write_checkpoint(tmp_path / "m.pt", toy_model)
    else:
        rows = figures(("AVCAffe", "a", "openness", "PCC", 0.3))
        wanted = [("pearsonr", None, "PCC openness", 0.3, "a")]
        path = write_checkpoint(tmp_path / "m.pt", toy_model, targets=TRAITS, task=task)
    found = bundle.load(path)
    folder = tmp_path / "shared"
    folder.mkdir()
    write_folder(replace(found, metrics=rows), folder, dataset=rows[0]["dataset"])
    card = ModelCard.load(folder / "README.md")
    assert [
        (r.metric_type, r.metric_config, r.metric_name, r.metric_value, r.dataset_config)
        for r in card.data.eval_results
    ] == wanted
    assert {(r.dataset_name, r.dataset_type) for r in card.data.eval_results} == {
        (rows[0]["dataset"], rows[0]["dataset"].lower())
    }
    assert (folder / card.data.license_link).read_text().startswith("# Terms of the training data")
    assert "pip install" in card.text


class LocalHub:
    """A hub that keeps what is written to it: the three requests of an upload."""

    def __init__(self, *, refuse: dict[str, int] | None = None) -> None:
        self.refuse, self.files, self.created = refuse or {}, {}, []
        self.tokens: set[str | None] = set()

    def answer(self, request: Handler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        self.tokens.add(request.headers.get("Authorization"))
        step = next(name for name in ("create", "preupload", "commit", "") if name in request.path)
        if status := self.refuse.get(step):
            return self.reply(request, {"error": "no"}, status)
        if step == "create":
            self.created.append(json.loads(body))
            return self.reply(request, {"url": f"{self.url}/someone/faces"})
        if step == "preupload":
            files = json.loads(body)["files"]
            answer = [
                {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files
            ]
            return self.reply(request, {"files": answer})
        if step == "commit":
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    value = line["value"]
                    self.files[value["path"]] = base64.b64decode(value["content"])
            commit = {"commitUrl": f"{self.url}/someone/faces/commit/1", "commitOid": "1"}
            return self.reply(request, commit)
        return self.reply(request, {"sha": "0" * 40, "siblings": [], "id": "someone/faces"})

    def reply(self, request, content, status=200):
        request.answer(status, json.dumps(content).encode(), Content_Type="application/json")


@contextlib.contextmanager
def local_hub(monkeypatch, **options) -> Iterator[LocalHub]:
    hub = LocalHub(**options)
    monkeypatch.setattr(Handler, "do_POST", Handler.do_GET, raising=False)
    with running() as server:
        server.script = lambda request, _: hub.answer(request)
        hub.url = server.url
        yield hub


def export(*arguments, url, tmp_path, token=TOKEN):
    """Run the command in its own process: the hub's package reads its address when imported."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
    environment |= {"HF_ENDPOINT": url, "HF_HOME": str(tmp_path / "home")}
    if token:
        environment["HF_TOKEN"] = token
    command = [sys.executable, "-m", "svfap", "export", *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("public", [False, True])
def test_a_model_is_pushed_when_asked_and_reads_back(tmp_path, toy_model, monkeypatch, public):
    path, folder = write_checkpoint(tmp_path / "m.pt", toy_model), tmp_path / "shared"
    folder.mkdir()
    (folder / "my notes.txt").write_text("not of the model")
    flags = ["--overwrite", "--push", "someone/faces", *(["--public"] if public else [])]
    with local_hub(monkeypatch) as hub:
        done = export(path, folder, *flags, url=hub.url, tmp_path=tmp_path)
        assert done.returncode == 0, done.stderr
        assert f"pushed: {hub.url}/someone/faces/commit/1" in done.stdout
        assert TOKEN not in done.stdout + done.stderr
        assert f"Bearer {TOKEN}" in hub.tokens
    (created,) = hub.created
    assert (created["name"], created["organization"]) == ("faces", "someone")
    assert created.get("private", created.get("visibility") == "private") is not public
    assert {*hub.files} == {f.name for f in folder.iterdir()} - {"my notes.txt"}
    copy = tmp_path / "copy"
    copy.mkdir()
    for name, content in hub.files.items():
        (copy / name).write_bytes(content)
    assert svfap.load(copy).facts.job.targets == CLASSES
    assert 'svfap.load("someone/faces")' in (copy / "README.md").read_text()


@pytest.mark.parametrize(
    ("step", "status", "words"),
    [
        ("create", 401, "the hub does not know the token; run `hf auth login`"),
        ("create", 403, "the token may not write there"),
        ("commit", 403, "the token may not write there"),
        ("preupload", 404, "the hub has no such owner"),
        ("create", 418, r"the hub answered 418 \(no\)"),
        ("", 0, "the hub cannot be reached"),
    ],
)
def test_what_the_hub_refuses_is_one_line(tmp_path, monkeypatch, step, status, words):
    (tmp_path / "README.md").write_text("# A model")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    # The hub's package asks for the repository if it may not create it.
    steps = ("create", "") if step == "create" else (step,)
    with local_hub(monkeypatch, refuse=dict.fromkeys(steps, status)) as hub:
        url = hub.url if step else "http://127.0.0.1:9"
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", url)
        with pytest.raises(SvfapError, match=words) as caught:
            push(tmp_path, "someone/faces", public=False)
    assert "\n" not in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_nothing_is_written_for_a_wrong_name_or_without_a_token(monkeypatch):
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    for name in ("faces", "a/b/c", "a b/c", "-a/b", ""):
        with pytest.raises(SvfapError, match="is no name of the hub"):
            check_push(name)
    with pytest.raises(SvfapError, match="needs a token that may write; run `hf auth login`"):
        check_push("someone/faces")


def test_nothing_is_pushed_without_the_flag(tmp_path, toy_model, monkeypatch):
    path = write_checkpoint(tmp_path / "m.pt", toy_model)
    with local_hub(monkeypatch) as hub:
        done = export(path, tmp_path / "shared", url=hub.url, tmp_path=tmp_path)
        assert done.returncode == 0, done.stderr
        assert not hub.tokens
        done = export(path, tmp_path / "again", "--public", url=hub.url, tmp_path=tmp_path)
        assert "add --push OWNER/NAME" in done.stderr
        assert not hub.tokens
    assert not Path(tmp_path / "again").exists()
