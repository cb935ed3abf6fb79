"""The command line: every stage has help, and reports in one line an error the user can fix."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from svfap import __version__
from svfap.__main__ import main
from svfap.commands import COMMANDS
from svfap.experiment.stage_list import STAGE_NAMES

BAD_CALLS = {
    "download": ("--config", "{}", "--dataset", "dmeo"),
    "crop": ("--config", '{"sise": 3}', "--manifest", "none.csv", "--part", "p", "--workers", "1"),
    "review": ("--config", "{}", "--crops", "none.csv"),
    "shard": ("--config", "{}", "--clips", "none.csv"),
    "pretrain": ("--config", "{}", "--shards", "none.parquet"),
    "finetune": ("--config", '{"seed": "x"}', "--shards", "none.parquet"),
    "evaluate": ("--config", "{}", "--model", "none.pt"),
    "baseline": ("--config", '{"task": "sorting"}', "--shards", "none.parquet"),
    "cost": ("--config", '{"rums": {}}'),
    "tabulate": ("--config", '{"datasets": {}}', "--costs", "none.csv"),
}


@pytest.mark.parametrize("stage", STAGE_NAMES)
def test_help(stage, capsys):
    with pytest.raises(SystemExit) as exit_:
        main([stage, "--help"])
    assert exit_.value.code == 0
    text = capsys.readouterr().out
    assert "--config" in text
    assert "--output" in text


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_commands(command, capsys):
    with pytest.raises(SystemExit) as exit_:
        main([command, "--help"])
    assert exit_.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: svfap {command} ")


def test_the_version(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["--version"])
    assert exit_.value.code == 0
    assert capsys.readouterr().out == f"svfap {__version__}\n"


SLOW_IMPORT = """
import sys, time
class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "yaml":
            print("importing", flush=True)
            time.sleep(1)
sys.meta_path.insert(0, Slow())
"""


def test_help_lists_every_stage_with_a_line(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    for stage in (*STAGE_NAMES, *COMMANDS):
        (line,) = (line for line in text.splitlines() if line.startswith(f"  {stage} "))
        assert len(line.split()) > 4


@pytest.mark.parametrize("stage", STAGE_NAMES)
def test_one_bad_input_each(stage, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([stage, *BAD_CALLS[stage], "--output", "out/file"]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert error[-1].startswith(f"svfap {stage}: error: ")
    assert "Traceback" not in "".join(error)


def test_a_stage_that_does_not_exist(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["trian"])
    assert exit_.value.code == 2
    assert "invalid choice: 'trian'" in capsys.readouterr().err


def test_an_output_that_cannot_be_written(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    call = ["cost", "--config", '{"runs": {}}', "--output", str(tmp_path / "file" / "x")]
    assert main(call) == 2
    assert "choose a folder that you may write to" in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "in the way"


def test_config_from_a_yaml_file(tmp_path, capsys):
    (tmp_path / "c.yaml").write_text("max_megabytes: 7\n")
    (tmp_path / "clips.csv").write_text("key,path\n")
    files = ("--config", "c.yaml", "--clips", "clips.csv", "--output", "o/index.parquet")
    paths = [word if word.startswith("--") else str(tmp_path / word) for word in files]
    assert main(["shard", *paths]) == 0
    record = [json.loads(line) for line in (tmp_path / "o" / "run.jsonl").read_text().splitlines()]
    assert record[0]["stage"] == "shard"
    assert record[0]["params"]["max_megabytes"] == "7"
    assert record[-1]["status"] == "FINISHED"
    capsys.readouterr()


def test_config_that_is_not_there(tmp_path, capsys):
    assert main(["cost", "--config", "none.yaml", "--output", str(tmp_path / "x")]) == 2
    assert "none.yaml" in capsys.readouterr().err


def test_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "svfap", "--help"], capture_output=True, text=True, check=True
    )
    assert "stages:" in done.stdout


WRITERS = ("datasets", "datasets DFEW", "--help", "--version", "plan --help", "cost --help")


@pytest.mark.parametrize("arguments", [*WRITERS, "trian 2>&1", "weights --wrong 2>&1"])
@pytest.mark.parametrize("buffered", ["", "1"])
def test_a_reader_that_has_enough(arguments, buffered):
    """It has gone before the first line, whether or not Python keeps lines back."""
    words = [sys.executable, "-m", "svfap", *arguments.removesuffix("2>&1").split()]
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        words,
        env=os.environ | {"PYTHONUNBUFFERED": buffered},
        stdout=write,
        stderr=write if arguments.endswith("2>&1") else subprocess.PIPE,
        check=False,
    )
    os.close(write)
    assert done.returncode in {0, 2, 128 + signal.SIGPIPE}
    assert not done.stderr


def test_help_on_a_full_disk():
    with open("/dev/full", "w") as full:  # noqa: PTH123
        words = [sys.executable, "-m", "svfap", "--help"]
        environment = os.environ | {"PYTHONUNBUFFERED": ""}
        done = subprocess.run(
            words, env=environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "No space left on device; make room" in line


@pytest.mark.parametrize(
    "call",
    [
        ("predict", "", "--checkpoint", "m.pt", "--output", "out"),
        ("predict", "a.mp4", "--checkpoint", "m.pt", "--output", ""),
        ("predict", "s3://bucket/a.mp4", "--checkpoint", "m.pt", "--output", "out"),
        ("predict", "videos\\a.mp4", "--checkpoint", "m.pt", "--output", "out"),
        ("export", "m.pt", ""),
        ("convert", "", "m.pt"),
    ],
)
def test_paths_that_cannot_be_meant(call, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.mp4").touch()
    try:
        code = main([*call])
    except SystemExit as exit_:
        code = exit_.code
    assert code == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert any(word in error for word in ("blank", "s3://", "write / instead"))
    assert [*tmp_path.iterdir()] == [tmp_path / "a.mp4"]


@pytest.mark.parametrize("program", [["svfap"], ["svfap.launch", "1"]])
@pytest.mark.parametrize("seconds", [0.0, 0.1])
def test_an_impatient_interrupt_is_one_line(tmp_path, program, seconds):
    """It comes while the program imports, and twice more."""
    (tmp_path / "sitecustomize.py").write_text(SLOW_IMPORT)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        [sys.executable, "-m", *program, "doctor"],
        env=os.environ | {"PYTHONPATH": path},
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as started:
        assert started.stdout.readline() == "importing\n"
        time.sleep(seconds)
        for _ in range(3):
            os.killpg(started.pid, signal.SIGINT)
        _, errors = started.communicate(timeout=60)
    assert started.returncode == 130
    assert errors == "svfap: error: interrupted\n"
