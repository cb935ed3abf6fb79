"""What input from strangers cannot do; `docs/threat-model.md` names a test for each "cannot"."""

import ast
import csv
import os
import pickle
import re
from pathlib import Path

import pytest
import torch

from svfap.__main__ import main
from svfap.datasets import listing
from svfap.errors import SvfapError
from svfap.faces.clip_tables import CLIP_COLUMNS, read_clips
from svfap.tables.html import html_page
from svfap.tables.render import Table
from svfap.tracking import spool
from svfap.training import tensor_file
from svfap.use import bundle

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "threat-model.md"
CALLS = [
    (path, node)
    for path in sorted((ROOT / "svfap").rglob("*.py"))
    for node in ast.walk(ast.parse(path.read_text()))
    if isinstance(node, ast.Call)
]


class Payload:
    """An object whose pickle creates a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_every_test_that_the_page_names_exists():
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", PAGE.read_text())
    assert len(named) > 15
    for file, name in named:
        assert f"def {name}(" in (ROOT / file).read_text(), f"{file}::{name}"


def test_checkpoints_run_no_code(tmp_path, capsys):
    """As PyTorch writes them now and before, and as a plain pickle."""
    hacked, path = tmp_path / "hacked", tmp_path / "checkpoint.pt"
    content = {"model": Payload(hacked)}
    for write in (
        lambda: torch.save(content, path),
        lambda: torch.save(content, path, _use_new_zipfile_serialization=False),
        lambda: path.write_bytes(pickle.dumps(content, protocol=2)),
    ):
        write()
        with pytest.raises(SvfapError, match="not a whole checkpoint"):
            tensor_file.read(path)
        with pytest.raises(SvfapError):
            bundle.load(path)
        for command in (
            ["convert", str(path), str(tmp_path / "out.pt")],
            ["export", str(path), str(tmp_path / "out")],
        ):
            assert main(command) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert not hacked.exists()


def test_an_exported_folder_runs_no_code(tmp_path):
    """The pickles of other programs in a folder of the hub are not read."""
    folder, hacked = tmp_path / "model", tmp_path / "hacked"
    folder.mkdir()
    for name in ("model.safetensors", "config.json", "preprocessor_config.json"):
        (folder / name).write_bytes(pickle.dumps(Payload(hacked)))
    for name in ("pytorch_model.bin", "training_args.bin"):
        torch.save(Payload(hacked), folder / name)
    with pytest.raises(SvfapError):
        bundle.load(folder)
    assert not hacked.exists()


def name_of(call: ast.Call) -> str:
    return ast.unparse(call.func)


def test_no_reader_can_run_code():
    """No reader of code, and no shell, in the whole package."""
    forbidden = {"eval", "exec", "pickle.load", "pickle.loads", "os.system", "yaml.load"}
    found = {(name_of(call), path.name) for path, call in CALLS if name_of(call) in forbidden}
    # It executes the signatures of this package's own stages, from the package's folder.
    assert found == {("exec", "signature.py")}
    for path, call in CALLS:
        keywords = {k.arg: ast.unparse(k.value) for k in call.keywords}
        assert keywords.get("shell", "False") == "False", path
        assert keywords.get("trust_remote_code", "False") == "False", path
        if name_of(call) == "torch.load":
            assert keywords["weights_only"] == "True", path
        if name_of(call) == "np.load":
            assert keywords.get("allow_pickle", "False") == "False", path
        assert not name_of(call).endswith(".extractall"), path


@pytest.mark.parametrize("value", ["../a.mp4", "a/../../b.mp4", "..", "./../a.mp4", "a//../.."])
def test_a_list_of_videos_stays_in_its_folder(tmp_path, value):
    path = tmp_path / "mine.csv"
    path.write_text(f"path\n{value}\n")
    with pytest.raises(SvfapError, match="leads out of the folder of the list"):
        listing.read(path)


@pytest.mark.parametrize("value", ["a/../b.mp4", "..a.mp4", "/videos/a.mp4", "~/a.mp4", "./a.mp4"])
def test_a_list_of_videos_may_name_absolute_paths(tmp_path, value):
    path = tmp_path / "mine.csv"
    path.write_text(f"path\n{value}\n")
    (row,) = listing.read(path)
    assert Path(row.source).is_absolute()


@pytest.mark.parametrize("value", ["../a.mkv", "/etc/a.mkv", "faces/../../a.mkv"])
def test_a_list_of_face_clips_stays_in_its_folder(tmp_path, value):
    path = tmp_path / "clips.csv"
    with path.open("w", newline="") as file:
        rows = [CLIP_COLUMNS, ("a", value, "", "", "0", 9, 25, 0, "{}")]
        csv.writer(file).writerows(rows)
    with pytest.raises(SvfapError, match="leads out of its folder; crop again"):
        read_clips(path)


@pytest.mark.parametrize("text", ["<script>x</script>", "\"'><img src=x onerror=x>", "&amp;"])
def test_tables_escape_every_text(text):
    table = Table(text, (text, "https://host/"), ((text, f"https://{text}"),), "ll", (text,))
    page = html_page([table], heading=text)
    rest = re.sub(r"</?(?:html|meta|title|style|h1|h2|table|thead|tbody|tr|th|td|p|a)\b", "", page)
    assert not re.search(r"<\w", rest.partition("</style>")[2])
    assert '">' not in re.findall(r'href="(.*?)" target', page)[0]


def test_servers_listen_on_loopback():
    """`make mlflow` and `svfap serve` are the only servers; `launch` closes its port at once.

    Elsewhere than on 127.0.0.1, `serve` asks for a token: see tests/serve/test_gate.py.
    """
    makefile = (ROOT / "Makefile").read_text()
    assert re.findall(r"mlflow (?:ui|server)(.*)", makefile) == [
        " --host 127.0.0.1 --port $(or $(PORT),5000) \\"
    ]
    servers = {"socketserver", "HTTPServer", "ThreadingHTTPServer", "create_server", "bind"}
    found = {path.name for path, call in CALLS if name_of(call).rpartition(".")[2] in servers}
    assert found == {"launch.py", "run.py"}


def test_the_queue_belongs_to_its_user(tmp_path, monkeypatch):
    """Others on the machine can neither read the queue of records nor have made its folder."""
    monkeypatch.setattr(spool.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(spool, "_start_writer", lambda *_: None)
    ticket = spool.queue(tmp_path / "run.jsonl", "sqlite:///x")
    assert ticket.path.parent.parent.stat().st_mode & 0o777 == 0o700
    ticket.close()
    elsewhere = tmp_path / "elsewhere"
    ticket.path.parent.parent.rename(elsewhere)
    ticket.path.parent.parent.symlink_to(elsewhere)
    with pytest.raises(PermissionError, match="belongs to another user"):
        spool.queue(tmp_path / "run.jsonl", "sqlite:///x")
