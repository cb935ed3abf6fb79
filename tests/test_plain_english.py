"""The check for plain English finds every phrase of its list, wherever text is written."""

import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "docs" / "plain_english.py"
spec = spec_from_file_location("plain_english", SCRIPT)
plain_english = module_from_spec(spec)
spec.loader.exec_module(plain_english)

CAUGHT = (
    *("a list of which one", "people of whom two", "that of a batch", "those of a batch"),
    *("it is told", "it stands for a frame", "which stand for frames", "it stands there"),
    *("a note stands below", "trained anew", "a stage is handed a file", "jobs are handed files"),
    *("a clip comes again", "the file cannot be had", "it can be had", "not to be had"),
    *("had from a server", "begun with", "must I begin again", "not taken up", "as are wanted"),
    *("what is asked for", "is gone on with", "what is made of it", "what came of it"),
    *("it is kept from", "the same to 1e-5", "each taken for as busy", "in which it was found"),
    *("nobody can mend it", "as far as there is one", "what is said of it", "lists what there is"),
    *("for ever", "frames of one's own", "it loops without end"),
)
FINE = (
    *("soft, often, thereof, untold", "the stand", "a handed-out list", "the tone of a voice"),
    *("amend the commit", "as area", "standing for election", "forever", "Tolkien"),
)


@pytest.mark.parametrize("text", CAUGHT)
def test_each_phrase_is_found(text):
    assert [*plain_english.findings(text)]
    assert [*plain_english.findings(text.replace(" ", "\n").upper())]


def test_every_phrase_has_an_example():
    found = {rule for text in CAUGHT for _, _, rule in plain_english.findings(text)}
    assert found == set(plain_english.PHRASES.values())


@pytest.mark.parametrize("text", FINE)
def test_plain_text_passes(text):
    assert not [*plain_english.findings(text)]


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("docstring.py", '"""Module."""\n\n\ndef f():\n    """A list\n    of\n    which."""\n', 6),
        ("comment.py", "a = 1\n# a list of\n# which one\nb = 2\n", 2),
        ("end.py", "a = 1  # trained anew\n", 1),
        ("message.py", 'error = "a list of" " which one"\n', 1),
        ("f_string.py", 'error = f"{1} is taken up"\n', 1),
        ("page.md", "# Title\n\nA list of\nwhich one.\n", 3),
        ("config.yaml", "a: 1\n# a list of\n# which one\n", 2),
    ],
)
def test_text_is_found_wherever_it_is_written(name, text, line, tmp_path):
    path = tmp_path / name
    path.write_text(text)
    assert [found for found, *_ in plain_english.check(path)] == [line]


def test_names_in_code_are_no_text(tmp_path):
    path = tmp_path / "code.py"
    path.write_text("told = 1\nmend = told\n")
    assert not plain_english.check(path)


def test_the_script_reports_and_fails(tmp_path):
    path = ROOT / "docs" / "models.md"
    assert plain_english.main([str(path)]) == 0
    bad = tmp_path / "bad.md"
    bad.write_text("Trained anew.\n")
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(bad)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout == f"{bad}:1: anew: again\n"
