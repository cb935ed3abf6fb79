"""Threads that leave the cores to others while they wait."""

import os
import subprocess
import sys

import pytest

from svfap import launch

PROGRAM = """
import os, sys
import svfap.__main__ as command_line
assert "torch" not in sys.modules
command_line.main(["datasets", "nobody"])
print(os.environ["OMP_WAIT_POLICY"])
"""


@pytest.mark.parametrize(("set_to", "expected"), [(None, "passive"), ("active", "active")])
def test_a_stage_waits_passively_unless_the_user_says_otherwise(tmp_path, set_to, expected):
    """The runtime reads the variable when torch is imported, so it must be set before."""
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    environment |= {"OMP_WAIT_POLICY": set_to} if set_to else {}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [expected]


@pytest.mark.parametrize("layout", ["1/2", "3/2", "2/0", "2x4", "", "a"])
def test_a_wrong_layout_is_refused_in_one_line(layout, capsys):
    assert launch.main([layout, "pretrain"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"svfap.launch: error: layout '{layout}' is not GPUS/NODES")


@pytest.mark.parametrize(
    ("layout", "nodes", "processes"), [("4", 1, 4), ("8/2@host:1", 2, 4), ("2/2@host:1", 2, 1)]
)
def test_processes_share_the_threads_of_the_job(monkeypatch, layout, nodes, processes):
    started = []
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    monkeypatch.setattr("torch.distributed.run.main", started.append)
    assert launch.main([layout, "pretrain"]) == 0
    (options,) = started
    assert options[options.index("--nnodes") + 1] == str(nodes)
    assert options[options.index("--nproc-per-node") + 1] == str(processes)
    assert os.environ["OMP_NUM_THREADS"] == str(8 // processes)
