"""Every kind of wrong file is one line that names the file, the place and the way out."""

import pytest

from svfap.config.yaml_file import load
from svfap.errors import SvfapError

REST = "\nfinetune: {init: scratch}\n"
KINDS = {
    "datasets: [demo]" + REST: "datasets: is ['demo']; write keys with values",
    "- datasets\n": "is ['datasets']; write keys with values",
    "demo\n": "is 'demo'; write keys with values",
    "datasets: {demo: }" + REST: "datasets.demo: is empty; write keys with values",
    "datasets: {demo: {}}\nfinetune: [scratch]": "finetune: is ['scratch']; write keys",
    "datasets: {demo: {finetune: fast}}" + REST: "datasets.demo.finetune: is 'fast'; write keys",
    "datasets: {demo: {only: fold1}}" + REST: "datasets.demo.only: is 'fold1'; write a list",
    "datasets: {a: {csv: 7}}" + REST: "datasets.a.csv: is 7; write a path",
    "datasets: {a: {csv: [a.csv]}}" + REST: "datasets.a.csv: is ['a.csv']; write a path",
    "results: 3\ndatasets: {demo: {}}" + REST: "results: is 3; write a path",
    "seed: one\ndatasets: {demo: {}}" + REST: "seed: is 'one'; write a whole number",
    "machine: {workers: all}\ndatasets: {demo: {}}"
    + REST: "machine.workers: is 'all'; write a whole",
    "crop: {max_rejects: .inf}\ndatasets: {demo: {}}" + REST: "crop.max_rejects: is inf; write",
    "baseline: maybe\ndatasets: {demo: {}}" + REST: "baseline: is 'maybe'; write true or false",
    "model: {depths: 4}\ndatasets: {demo: {}}" + REST: "model.depths: is 4; write a list",
    "variants: [a]\ndatasets: {demo: {}}" + REST: "variants: is ['a']; write keys with values",
    "datasets: {demo: {}}\nfinetune: {optim: {epocs: 3}}": "did you mean 'finetune.optim.epochs'?",
    "datasets:\n\tdemo: {}\n": "line 2: a tab; indent by blanks instead",
    "datasets: {demo: {}}\nseed: 1\ndatasets: {}\n": "key 'datasets' occurs twice, in lines",
    "datasets:{demo: {}}\n": "line 1: not valid YAML; write a blank after ':'",
    "datasets: {demo: {}\n": "close a bracket or quotation mark",
    "datasets: 'demo\n": "close a bracket or quotation mark",
    "datasets:\n  demo: {}\n seed: 1\n": "line 3: not valid YAML: expected <block end>",
    "datasets: {demo: {}}\n---\nseed: 1\n": "line 2: not valid YAML: but found another document",
    "datasets: *demo\n": "line 1: not valid YAML: found undefined alias 'demo'",
    "results: 2026-13-01\n": "not valid YAML: month must be in 1..12",
    "": "is empty; write keys with values, like config/config.yaml",
    "# nothing\n": "is empty; write keys with values, like config/config.yaml",
}


@pytest.mark.parametrize("text", KINDS)
def test_wrong_contents(text, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(SvfapError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert KINDS[text] in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", ["größe: 1\n".encode("latin-1"), "datasets: {}\n".encode("utf-16")]
)
def test_other_encodings(content, tmp_path):
    (tmp_path / "mine.yaml").write_bytes(content)
    with pytest.raises(SvfapError, match=r"not UTF-8 text \(byte \d\); save it as UTF-8"):
        load(tmp_path / "mine.yaml")


def test_what_is_no_file(tmp_path):
    with pytest.raises(SvfapError, match=r"none\.yaml: cannot be read \(No such file"):
        load(tmp_path / "none.yaml")
    with pytest.raises(SvfapError, match=r"cannot be read \(Is a directory\); name a YAML file"):
        load(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffdatasets: {demo: {}}" + REST,
        ("datasets: {demo: {}}" + REST).replace("\n", "\r\n"),
        '{"datasets": {"demo": {}}, "finetune": {"init": "scratch"}}',
    ],
)
def test_byte_order_marks_line_ends_and_json_are_fine(text, tmp_path):
    (tmp_path / "mine.yaml").write_bytes(text.encode())
    assert "demo" in load(tmp_path / "mine.yaml").datasets
