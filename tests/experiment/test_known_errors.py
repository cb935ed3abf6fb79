"""Errors of Snakemake in one line, and files that a run may not replace."""

import pytest

from svfap.errors import SvfapError
from svfap.experiment.known_errors import explained, in_words, refuse_protected


def test_snakemakes_refusal_says_what_to_do():
    text = (
        "ProtectedOutputException in rule x:\nWrite-protected output files for rule x:\n"
        "    output: a.pt, b.csv\n    affected files:\n        results/a.pt"
    )
    assert explained(text).startswith("results/a.pt is write-protected, and this run would replace")
    assert "chmod u+w results/a.pt" in explained(text)


@pytest.mark.parametrize(
    "text",
    [
        "LockException: Directory cannot be locked",
        "WorkflowError:\nFailed to get mtime of git source file x\nno",
        "WorkflowError:\nAt least one job did not complete successfully.",
    ],
)
def test_other_errors_speak_for_themselves(text):
    assert explained(text) == ""


def test_a_write_protected_output_is_refused_for_root_too(tmp_path):
    path = tmp_path / "checkpoint.pt"
    path.touch()
    link = tmp_path / "link"
    link.symlink_to(path)
    refuse_protected([path, tmp_path / "none"])
    path.chmod(0o444)
    refuse_protected([link])
    with pytest.raises(SvfapError, match=r"checkpoint.pt is write-protected, .*chmod u\+w"):
        refuse_protected([path])


def test_a_folder_that_cannot_be_written():
    text = (
        "WorkflowError:\nFailed to create output directory /x/raw.\n"
        "PermissionError: [Errno 13] No: '/x'"
    )
    wanted = "choose folders that you may write to with the keys `data` and `results`"
    assert explained(text) == f"/x/raw: No; {wanted}"
    assert in_words(OSError(30, "Read-only file system", "/x")).startswith("/x: Read-only file")
    assert in_words(SvfapError("a; b")) == "a; b"
